"""Forms in embedded mode, offered at a fixed rate whatever the answers are: what it must take, and more than it can."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import uvloop

from tests.benchmarks.disk import sync_seconds
from tests.benchmarks.embedded import Running, okno_up
from tests.benchmarks.load import form_post, percentile
from tests.benchmarks.table import Figure

OFFERED_PER_SECOND, OFFERED_SECONDS = 2_000, 60
STEADY_PER_SECOND, STEADY_SECONDS, STEADY_ROUNDS = 500, 20, 3
"""The median of the rounds counts: another program that takes the machine for a moment spoils one of them."""
CONNECTIONS = 1_000
"""So many clients wait at once; with fewer the offer would follow the answers."""
DEADLINE_SECONDS = 300.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Offered:
    """What became of the posts: answers by status, ids confirmed, seconds each answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    confirmed: list[str] = field(default_factory=list)
    seconds: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    late: list[float] = field(default_factory=list)
    """Seconds by which this client itself was behind when it posted."""
    stalls: list[float] = field(default_factory=list)
    """Seconds by which a timer of this client came late while answers were awaited."""
    without_retry_after: int = 0


def figures() -> Iterator[Figure]:
    """The steady ones first: a disk that has just had a minute of overload is slow for some minutes."""
    with okno_up() as okno:
        yield from _steady(okno)
    with okno_up() as okno:
        yield from _beyond_capacity(okno)


def _beyond_capacity(okno: Running) -> Iterator[Figure]:
    before = _megabytes(okno, "VmRSS")
    outcome = _offer(okno, OFFERED_PER_SECOND, OFFERED_SECONDS)
    after = _megabytes(okno, "VmRSS")
    behind = _wait_for_timeline(okno, len(outcome.confirmed))
    _say(okno, outcome, before, after, behind)
    assert set(outcome.statuses) <= {200, 429, 503}, outcome.statuses
    assert outcome.without_retry_after == 0
    entries = _entries(okno.database)
    missing = len(set(outcome.confirmed) - entries.keys())
    doubled = sum(count - 1 for count in entries.values()) + len(outcome.confirmed) - len(set(outcome.confirmed))
    offer = f"forms at {OFFERED_PER_SECOND:,}/s offered for {OFFERED_SECONDS} s"
    yield Figure(f"{offer}: confirmed", len(outcome.confirmed) / OFFERED_SECONDS, "/s", 500, True)
    yield Figure(f"{offer}: confirmed and not on a timeline", missing, "", 0, False)
    yield Figure(f"{offer}: on a timeline twice", doubled, "", 0, False)
    yield Figure(f"{offer}: p99 of a confirmation", 1000 * percentile(outcome.seconds[True], 0.99), "ms", 5000, False)
    yield Figure(f"{offer}: memory afterwards", _megabytes(okno, "VmRSS"), "MB", 400, False)
    yield Figure(f"{offer}: most memory", _megabytes(okno, "VmHWM"), "MB", 500, False)


def _steady(okno: Running) -> Iterator[Figure]:
    """No answer goes out before the disk has what was posted: how long that takes by itself is measured in between."""
    disk = sync_seconds(okno.database.parent)
    rounds = []
    for number in range(STEADY_ROUNDS):
        rounds.append(_steady_round(okno, number))
        disk += sync_seconds(okno.database.parent)
    p99s = sorted(1000 * percentile(each.seconds[True], 0.99) for each in rounds)
    timers = sorted(1000 * percentile(each.stalls, 0.99) for each in rounds)
    refused = STEADY_PER_SECOND * STEADY_SECONDS * STEADY_ROUNDS - sum(each.statuses[200] for each in rounds)
    offer = f"forms at {STEADY_PER_SECOND}/s"
    words = (
        f"median of {STEADY_ROUNDS} rounds, {p99s[0]:.0f} to {p99s[-1]:.0f}"
        f" (the client's own timers {timers[0]:.0f} to {timers[-1]:.0f} late)"
    )
    yield Figure(f"{offer}: refused", refused, "", 0, False)
    limit = 1000 * percentile(disk, 0.99), f"p99 of fdatasync alone, {1000 * max(disk):.0f} at most"
    yield Figure(f"{offer}: p99 of the answer, {words}", median(p99s), "ms", 100, False, *limit)


def _steady_round(okno: Running, number: int) -> Offered:
    """Offer posts that no round before had: repeated ones would be known already."""
    posts, before = STEADY_PER_SECOND * STEADY_SECONDS, _cpu_seconds(okno)
    outcome = _offer(okno, STEADY_PER_SECOND, STEADY_SECONDS, first=number * posts)
    cpu = (_cpu_seconds(okno) - before) / posts
    print(
        f"p50 of the answer {1000 * percentile(outcome.seconds[True], 0.5):.0f} ms, p99"
        f" {1000 * percentile(outcome.seconds[True], 0.99):.0f} ms, most"
        f" {1000 * max(outcome.seconds[True]):.0f} ms; the client itself posted up to"
        f" {1000 * percentile(outcome.late, 0.99):.0f} ms late (p99) and woke up to"
        f" {1000 * percentile(outcome.stalls, 0.99):.0f} ms late (p99), most {1000 * max(outcome.stalls):.0f} ms;"
        f" the server used {1e6 * cpu:.0f} µs of processor a post",
        file=sys.stderr,
    )
    return outcome


def _offer(okno: Running, per_second: int, seconds: int, first: int = 0) -> Offered:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_posts(okno, per_second, seconds, first))


async def _ticks(stalls: list[float], every_seconds: float = 0.005) -> None:
    """Note how late this client's own timers are, until cancelled."""
    while True:
        due = time.perf_counter() + every_seconds
        await asyncio.sleep(every_seconds)
        stalls.append(time.perf_counter() - due)


async def _posts(okno: Running, per_second: int, seconds: int, first: int) -> Offered:
    """Post at a fixed rate over the connection that was free first; `first`: the number of the first post."""
    outcome = Offered()
    ticking = asyncio.create_task(_ticks(outcome.stalls))
    free = deque([await asyncio.open_connection(okno.host, okno.port) for _ in range(CONNECTIONS)])
    asked: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    for number in range(per_second * seconds):
        if (pause := began + number / per_second - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        while not free:
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        post = form_post(okno.host, f"/in/forms/{okno.form}", first + number)
        outcome.late.append(time.perf_counter() - began - number / per_second)
        task = asyncio.create_task(_post(free.popleft(), free, post, outcome))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)
    ticking.cancel()
    took = time.perf_counter() - began
    print(f"offered {per_second * seconds / took:,.0f}/s for {took:.0f} s", file=sys.stderr)
    for _, writer in free:
        writer.close()
    return outcome


async def _post(connection: Connection, free: deque[Connection], post: bytes, outcome: Offered) -> None:
    reader, writer = connection
    began = time.perf_counter()
    writer.write(post)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
    status = int(head[9:12])
    outcome.statuses[status] += 1
    outcome.seconds[status == 200].append(time.perf_counter() - began)
    if status == 200:
        outcome.confirmed.append(json.loads(body)["id"])
    elif b"\r\nretry-after:" not in head:
        outcome.without_retry_after += 1
    free.append(connection)


def _wait_for_timeline(okno: Running, count: int) -> float:
    """Return how many seconds the timelines were behind the last answer."""
    began = time.perf_counter()
    while sum(_entries(okno.database).values()) < count:
        if time.perf_counter() - began > DEADLINE_SECONDS:
            break
        time.sleep(0.5)
    return time.perf_counter() - began


def _entries(database: Path) -> Counter[str]:
    """Return how often each message is on a timeline."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return Counter(id_ for (id_,) in connection.execute("SELECT id FROM timeline"))


def _cpu_seconds(okno: Running) -> float:
    fields = Path(f"/proc/{okno.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(okno: Running, what: str) -> float:
    lines = Path(f"/proc/{okno.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def _say(okno: Running, outcome: Offered, before: float, after: float, behind: float) -> None:
    refused = outcome.seconds[False] or [0.0]
    print(
        f"answers {dict(outcome.statuses)}; a refusal took {1000 * percentile(refused, 0.99):.0f} ms (p99); timelines"
        f" whole {behind:.1f} s later; memory {before:.0f} MB before, {after:.0f} MB after the last answer,"
        f" {_megabytes(okno, 'VmRSS'):.0f} MB when all was on a timeline",
        file=sys.stderr,
    )
