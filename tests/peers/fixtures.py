"""The fixtures of the peers. A server is started once a session; what a test leaves on it is removed after the test."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.peers.browser import collect_errors, running_browser
from tests.peers.dovecot import DovecotServer
from tests.peers.kafka import ExternalKafka, KafkaServer, delete_topics
from tests.peers.okno import COMMAND, OknoProcess
from tests.peers.postgres import ExternalPostgres, PostgresServer
from tests.peers.process import LOGS, Process, free_memory, live_processes
from tests.peers.smtp import SmtpServer

FAILED = pytest.StashKey[bool]()
LOGGED_BEFORE = pytest.StashKey[dict[Process, int]]()
NewPage = Callable[[], Awaitable[Page]]


class StartOkno(Protocol):
    def __call__(
        self, args: Sequence[str], env: Mapping[str, str], *, name: str = "okno", command: Sequence[str] = COMMAND
    ) -> OknoProcess: ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer | ExternalKafka]:
    """A broker all tests share: take names from `kafka_prefix`, and do not stop it."""
    if bootstrap := os.environ.get("OKNO_TEST_KAFKA"):
        yield ExternalKafka(bootstrap)
        return
    with KafkaServer() as server:
        yield server


@pytest.fixture
def kafka_prefix(kafka: KafkaServer | ExternalKafka) -> Iterator[str]:
    """What the names of this test's topics and groups begin with; such topics are deleted after the test."""
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    yield prefix
    asyncio.run(delete_topics(kafka.bootstrap, prefix))


@pytest.fixture
def own_kafka() -> Iterator[KafkaServer]:
    """A broker of the test's own, to kill, pause and restart; it takes four seconds to start."""
    with KafkaServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer | ExternalPostgres]:
    """A server all tests share; ask for `database_url` unless the server itself is the matter."""
    if url := os.environ.get("OKNO_TEST_DATABASE_URL"):
        yield ExternalPostgres(url)
        return
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, to kill and restart."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer | ExternalPostgres) -> Iterator[str]:
    """The URL of a fresh empty database, dropped after the test."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def dovecot() -> Iterator[DovecotServer]:
    """An IMAP server of the test's own, without users."""
    with DovecotServer() as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """An SMTP server of the test's own that anyone may send through."""
    with SmtpServer() as server:
        yield server


@pytest.fixture
def start_okno() -> Iterator[StartOkno]:
    """Start Okno, see OknoProcess; what still runs after the test is killed."""
    started: list[OknoProcess] = []

    def start(
        args: Sequence[str], env: Mapping[str, str], *, name: str = "okno", command: Sequence[str] = COMMAND
    ) -> OknoProcess:
        process = OknoProcess(args, env, name=name, command=command)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; each has contexts of its own, which share nothing."""
    async with running_browser() as running:
        yield running


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """Errors on the pages so far; any left at the end fails the test. One that expects an error clears the list."""
    errors: list[str] = []
    yield errors
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Browser, page_errors: list[str], request: pytest.FixtureRequest) -> AsyncIterator[NewPage]:
    """Open a page in a fresh context, as another person would; screenshots are kept when the test fails."""
    pages: list[Page] = []

    async def open_page() -> Page:
        page = await (await browser.new_context(locale="en-US")).new_page()
        collect_errors(page, page_errors)
        pages.append(page)
        return page

    yield open_page
    if request.node.stash.get(FAILED, False):
        for number, page in enumerate(pages):
            await page.screenshot(path=LOGS / f"{request.node.name}-{number}.png")
    for page in pages:
        await page.unroute_all(behavior="wait")  # what still answers a request would fail in the next test
        await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_page: NewPage) -> Page:
    return await new_page()


LONGEST = frozenset({"faults", "flows", "browser", "transport", "peers"})
"""Folders whose files take longest: they go first, so that two processes end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):  # what Playwright gives belongs to one event loop
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    items.sort(key=lambda item: LONGEST.isdisjoint(item.path.parts))


def pytest_sessionstart() -> None:
    """Logs of a failed session are kept until the next one, the memory of a killed one as well."""
    for folder in LOGS.parent.glob("*"):
        if not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    free_memory()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[LOGGED_BEFORE] = {each: each.log.stat().st_size for each in live_processes()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        before = item.stash.get(LOGGED_BEFORE, {})
        logs = [(f"log of {each.name}", each.tail(after_bytes=before.get(each, 0))) for each in live_processes()]
        report.sections += [(title, log) for title, log in logs if "\n" in log]
    return report


def pytest_sessionfinish(exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(LOGS, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if LOGS.exists() and exitstatus != pytest.ExitCode.OK:
        terminalreporter.write_line(f"logs of the peers: {LOGS}")
