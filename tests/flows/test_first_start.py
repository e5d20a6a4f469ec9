"""The first minutes with Okno: an empty folder, a link that works once, the demonstration."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.flows.stage import OPERATOR, PASSWORD
from tests.flows.window import answer, expect_delivery, expect_live, message, row
from tests.peers.fixtures import NewPage
from tests.peers.okno import OknoProcess
from tests.peers.process import free_port

QUESTION, ANSWER = "Можно ли вернуть товар?", "Да, в течение 14 дней."


class Fresh:
    """`okno up` on a new folder."""

    def __init__(self, data: Path, *extra: str) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        args = ["up", "--data", str(data), "--port", str(self.port), "--json", *extra]
        self.process = OknoProcess(args, {}, name="fresh")

    def start(self) -> dict[str, str]:
        """Return what it announced."""
        self.process.start()
        self.process.wait_for_http(self.url)
        announced: dict[str, str] = json.loads(self.process.wait_for_line('"setup"'))
        return announced


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    made = Fresh(tmp_path / "data")
    yield made
    made.process.kill()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Fresh]:
    made = Fresh(tmp_path / "data", "--demo")
    yield made
    made.process.kill()


def set_up(url: str, link: str) -> httpx.Response:
    token = parse_qs(urlsplit(link).query)["token"][0]
    first = {"token": token, "email": OPERATOR, "name": "Ольга", "password": PASSWORD}
    return httpx.post(f"{url}/api/v1/setup", json=first, timeout=30, trust_env=False, verify=False)


def test_a_demonstration_that_is_stopped_while_it_plays_fails_at_nothing(demo: Fresh) -> None:
    demo.process.start()
    demo.process.wait_for_line('"inbound_published"')
    assert demo.process.stop() == 0
    assert [line for line in demo.process.logged() if line.get("level") == "error"] == []


def test_an_open_window_holds_up_no_stop(fresh: Fresh) -> None:
    created = set_up(fresh.url, fresh.start()["setup"])
    cookie, address = {"okno_session": created.cookies["okno_session"]}, f"{fresh.url}/api/v1/stream"
    with httpx.stream("GET", address, cookies=cookie, timeout=30, trust_env=False, verify=False) as window:
        lines = window.iter_lines()
        assert next(lines) == "retry: 1000"
        assert fresh.process.stop() == 0
        assert "error" not in [line["level"] for line in fresh.process.logged() if "level" in line]
        assert [line for line in lines if line.startswith("event: ")] == ["event: alive"]


def test_the_printed_link_creates_the_first_operator_once(fresh: Fresh) -> None:
    link = fresh.start()["setup"]
    assert link.startswith(f"{fresh.url}/setup?token=")
    created, again = set_up(fresh.url, link), set_up(fresh.url, link)
    assert (created.status_code, created.json()["role"], again.status_code) == (201, "admin", 422)
    cookie, address = {"okno_session": created.cookies["okno_session"]}, f"{fresh.url}/api/v1/session"
    session = httpx.get(address, cookies=cookie, timeout=30, trust_env=False, verify=False)
    assert session.json()["email"] == OPERATOR
    fresh.process.kill()
    fresh.process.start()
    fresh.process.wait_for_http(fresh.url)
    printed = [json.loads(line) for line in fresh.process.lines() if '"setup"' in line]
    assert [each["setup"] for each in printed] == [link, None]


def test_the_api_refuses_everybody_without_token_or_cookie(fresh: Fresh) -> None:
    fresh.start()
    document = httpx.get(f"{fresh.url}/api/v1/openapi.json", timeout=30, trust_env=False, verify=False).json()
    open_to_all = {("post", "/api/v1/setup"), ("post", "/api/v1/session")}
    tried = 0
    with httpx.Client(base_url=fresh.url, timeout=30, trust_env=False, verify=False) as client:
        for method, path in ((method, path) for path, methods in document["paths"].items() for method in methods):
            if (method, path) not in open_to_all:
                address = path.replace("{id}", "1").replace("{message_id}", "1").replace("{sha256}", "1")
                refused = client.request(method, address)
                assert (refused.status_code, refused.json()["status"]) == (401, 401), (method, path)
                tried += 1
    assert tried > 20


def test_it_listens_on_this_machine_only(fresh: Fresh) -> None:
    fresh.start()
    pid = fresh.process.process.pid
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    inodes = {name[8:-1] for name in sockets if name.startswith("socket:[")}
    assert listening("/proc/net/tcp", inodes) == [("0100007F", fresh.port)]
    assert listening("/proc/net/tcp6", inodes) == []


def listening(table: str, inodes: set[str]) -> list[tuple[str, int]]:
    """Addresses (as the kernel writes them) and ports of listening sockets (state 0A)."""
    rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
    found = [row[1].split(":") for row in rows if row[3] == "0A" and row[9] in inodes]
    return [(address, int(port, 16)) for address, port in found]


def test_a_second_okno_on_the_same_data_is_refused_with_the_reason(fresh: Fresh, tmp_path: Path) -> None:
    fresh.start()
    second = Fresh(fresh.data)
    second.process.start()
    assert second.process.wait() == 2
    pid = fresh.process.process.pid
    assert second.process.lines() == [f"okno: {fresh.data} is in use by another Okno (process {pid})"]


def test_a_taken_port_is_refused_with_the_reason(fresh: Fresh) -> None:
    with socket.create_server(("127.0.0.1", fresh.port)):
        fresh.process.start()
        assert fresh.process.wait() == 2
    assert fresh.process.lines() == [f"okno: cannot listen on 127.0.0.1:{fresh.port}: Address already in use"]


async def test_a_newcomer_goes_through_the_whole_loop_of_the_demonstration(
    demo: Fresh, new_page: NewPage, page_errors: list[str]
) -> None:
    announced = await asyncio.to_thread(demo.start)
    window, client = await new_page(), await new_page()
    await create_the_first_operator(window, announced["setup"])
    page_errors[:] = [each for each in page_errors if "401" not in each]  # the first question: is anybody signed in?
    await client.goto(announced["demo"])
    await client.locator("[name=message]").fill(QUESTION)
    await client.locator("#form button").click()
    await row(window, QUESTION).click()
    await expect(message(window, QUESTION)).to_be_visible()
    await answer(window, ANSWER)
    await expect_delivery(window, ANSWER, "sent")
    await expect(client.locator("#mails")).to_contain_text(ANSWER)
    await client.locator("#answered").click()
    card = window.get_by_test_id("call-card")
    await expect(card).to_be_visible()
    await expect(card).to_contain_text("916")


async def create_the_first_operator(page: Page, link: str) -> None:
    await page.goto(link)
    await page.get_by_test_id("setup-name").fill("Ольга")
    await page.get_by_test_id("setup-email").fill(OPERATOR)
    await page.get_by_test_id("setup-password").fill(PASSWORD)
    await page.get_by_test_id("setup-submit").click()
    await expect_live(page)
