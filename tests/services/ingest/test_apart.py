"""Items parsed in a child process: what hangs, crashes or eats memory there harms nobody."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from services.ingest import understand as understanding
from services.ingest.apart import Apart, BugInParser, ParserDied
from services.ingest.understand import understand
from shared.connector import Channel
from shared.contracts.inbound import Address, InboundMessage
from shared.parsed import Parsed, RawItem, UnreadableItem
from tests.services.fakes import AT

CHANNEL = Channel(uuid4(), "lines", "Lines", {"secret": "s"})


def item(data: bytes) -> RawItem:
    return RawItem(data, "text/plain", AT, "1", {"remote": "::1"})


def parse_with_pid(given: RawItem, channel: Channel) -> Parsed:
    """Tells by whom it was parsed."""
    return Parsed("x", Address("email", "a@b.example"), given.received_at, text=f"{os.getpid()} {len(given.data)}")


def parse_badly(given: RawItem, channel: Channel) -> Parsed:
    """Does what the item says."""
    match given.data.split(b" ")[0]:
        case b"hang":
            re.match(r"(a+)+$", "a" * 60 + "b")  # one call of C code that holds the interpreter for years
        case b"sleep":
            time.sleep(1)
        case b"die":
            os._exit(3)
        case b"eat":
            return Parsed("x", Address("email", "a@b.example"), AT, text="x" * (1 << 40))
        case b"bug":
            raise KeyError("no such thing")
        case b"print":
            print("noise")
        case b"refuse":
            raise UnreadableItem("not for me")
    return parse_with_pid(given, channel)


@pytest.fixture
def apart():
    made = Apart()
    yield made
    made.close()


async def test_item_is_parsed_in_another_process_that_is_used_again(apart):
    first = await apart.parse(parse_with_pid, item(b"abc"), CHANNEL, 30)
    second = await apart.parse(parse_with_pid, item(b"x" * 5_000_000), CHANNEL, 30)
    (pid,) = apart.pids()
    assert pid != os.getpid()
    assert first == Parsed("x", Address("email", "a@b.example"), AT, text=f"{pid} 3")
    assert second.text == f"{pid} 5000000"


async def test_what_hangs_in_c_code_is_killed_at_the_limit_and_the_next_item_is_parsed(apart):
    await apart.parse(parse_badly, item(b"warm up"), CHANNEL, 30)
    (stuck,) = apart.pids()
    started = time.monotonic()
    loop_was_free = asyncio.create_task(asyncio.sleep(0.01))
    with pytest.raises(TimeoutError):
        await apart.parse(parse_badly, item(b"hang"), CHANNEL, 0.5)
    assert loop_was_free.done()
    assert time.monotonic() - started < 10
    assert not _is_running(stuck)
    assert (await apart.parse(parse_badly, item(b"fine"), CHANNEL, 30)).text.endswith(" 4")


async def test_child_that_dies_takes_only_its_item_with_it(apart):
    with pytest.raises(ParserDied):
        await apart.parse(parse_badly, item(b"die"), CHANNEL, 30)
    assert (await apart.parse(parse_badly, item(b"fine"), CHANNEL, 30)).text


async def test_child_killed_while_it_waits_is_replaced(apart):
    await apart.parse(parse_badly, item(b"fine"), CHANNEL, 30)
    (pid,) = apart.pids()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(_wait_for_the_end_of, pid)
    assert (await apart.parse(parse_badly, item(b"fine"), CHANNEL, 30)).text
    assert apart.pids() != [pid]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for_the_end_of(pid: int) -> None:
    deadline = time.monotonic() + 30
    while _is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"refuse", UnreadableItem, "not for me"),
        (b"bug", BugInParser, "KeyError: 'no such thing'"),
        (b"eat", UnreadableItem, "needs more than 2048 MB to be understood"),
    ],
)
async def test_what_the_parser_raises_is_told(apart, data, error, text):
    with pytest.raises(error, match=re.escape(text)):
        await apart.parse(parse_badly, item(data), CHANNEL, 30)


async def test_what_a_parser_prints_does_not_spoil_the_answer(apart):
    assert (await apart.parse(parse_badly, item(b"print"), CHANNEL, 30)).text.endswith(" 5")


async def test_two_items_are_parsed_at_once_and_more_wait(apart):
    texts = await asyncio.gather(*[apart.parse(parse_badly, item(b"sleep"), CHANNEL, 30) for _ in range(3)])
    assert len({each.text for each in texts}) == 2
    assert len(apart.pids()) == 2


async def test_function_that_no_other_process_could_find_is_a_bug(apart):
    with pytest.raises(TypeError, match="no function of a module"):
        await apart.parse(lambda given, channel: None, item(b"x"), CHANNEL, 30)


def test_no_child_is_left_when_the_process_ends_however_it_ends():
    program = (
        "import asyncio, os, signal\n"
        "from services.ingest.apart import Apart\n"
        "from tests.services.ingest import test_apart as t\n"
        "apart = Apart()\n"
        "asyncio.run(apart.parse(t.parse_with_pid, t.item(b'x'), t.CHANNEL, 60))\n"
        "print(*apart.pids(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for ending in (program, program.rpartition("os.kill")[0]):
        done = subprocess.run([sys.executable, "-c", ending], capture_output=True, text=True, timeout=100)
        _wait_for_the_end_of(int(done.stdout))


async def test_only_a_large_item_leaves_the_process(blobs):
    small = await understand(item(b"x"), CHANNEL, parse_with_pid, blobs)
    large = await understand(item(b"x" * (understanding.APART_FROM_BYTES + 1)), CHANNEL, parse_with_pid, blobs)
    assert isinstance(small, InboundMessage)
    assert isinstance(large, InboundMessage)
    assert small.text == f"{os.getpid()} 1"
    assert large.text.split(" ")[0] != str(os.getpid())


def parse_of_a_kind_with_a_limit(given: RawItem, channel: Channel) -> Parsed:
    """A kind's limit is read once for each `parse`."""
    return parse_with_pid(given, channel)


async def test_kind_may_say_from_what_size_its_items_leave_the_process(blobs, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "APART_FROM_BYTES", 3, raising=False)
    message = await understand(item(b"four"), CHANNEL, parse_of_a_kind_with_a_limit, blobs)
    assert isinstance(message, InboundMessage)
    assert not message.text.startswith(f"{os.getpid()} ")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hang ", "not understood within 2 s"),
        (b"die ", "the parser ended before it had understood it"),
        (b"bug ", "KeyError: 'no such thing'"),
        (b"refuse ", "not for me"),
    ],
)
async def test_large_item_nobody_understands_is_unreadable_with_the_reason(blobs, monkeypatch, data, reason):
    monkeypatch.setattr(understanding, "PARSE_SECONDS", 2.0)
    given = item(data + b"x" * understanding.APART_FROM_BYTES)
    unreadable = await understand(given, CHANNEL, parse_badly, blobs)
    assert unreadable.reason == reason
    assert await blobs.get(unreadable.raw.sha256) == given.data
