"""What people notice of a rebuild: the API of `okno up` before and during `okno rebuild`, at a steady pace."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from services.house import open_house
from shared.event_store.log import head
from shared.read_models import live
from shared.settings import read_settings
from tests.benchmarks.embedded import Running, okno_up
from tests.benchmarks.history import record_history
from tests.benchmarks.load import form_post, percentile
from tests.benchmarks.table import Figure

EVENTS = 50_000
ROUNDS = 3
PAUSE_SECONDS = 0.01
Times = defaultdict[str, list[float]]


def figures(events: int = EVENTS) -> Iterator[Figure]:
    """Rounds with and without a rebuild take turns: what else the machine does then falls on both alike."""
    calm: Times = defaultdict(list)
    busy: Times = defaultdict(list)
    with okno_up("error") as okno:
        asyncio.run(_fill(okno.database, events))
        command = [sys.executable, "-m", "services.cli", "rebuild", "--data", str(okno.database.parent)]
        for _ in range(ROUNDS):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            began = time.monotonic()
            asyncio.run(_ask(okno, lambda process=process: process.poll() is None, busy))  # type: ignore[misc]
            assert process.returncode == 0
            end = 2 * time.monotonic() - began
            asyncio.run(_ask(okno, lambda end=end: time.monotonic() < end, calm))  # type: ignore[misc]
    for what in calm:
        for name, share in (("median", 0.5), ("p95", 0.95)):
            before, during = (1000 * percentile(times[what], share) for times in (calm, busy))
            title = f"{what} while {events:,} events are rebuilt, {name} ({during:.1f} ms; {before:.1f} ms else)"
            yield Figure(title, during / before, "", 1.5, False)


async def _fill(path: Path, events: int) -> None:
    """From another process than `okno up`, which follows."""
    house = open_house(read_settings({"OKNO_DATA": str(path.parent)}))
    await record_history(house.store, events)
    while await house.database.read(_behind):  # noqa: ASYNC110 (what another process does has no event here)
        await asyncio.sleep(0.1)
    await house.close()


def _behind(tx: object) -> int:
    return head(tx) - live.position(tx)  # type: ignore[arg-type]


async def _ask(okno: Running, goes_on: Callable[[], bool], times: Times) -> None:
    """Ask one after the other, with pauses; add the seconds that each answer took, by kind of request."""
    reader, writer = await asyncio.open_connection(okno.host, okno.port)
    number = int(time.time() * 1000) % 1_000_000_000
    while goes_on():
        number += 1
        requests = {
            "the list of conversations": _get(okno, "/api/v1/conversations?limit=50"),
            "the list of customers": _get(okno, "/api/v1/customers?limit=50"),
            "a form post": form_post(okno.host, f"/in/forms/{okno.form}", number),
        }
        for what, request in requests.items():
            began = time.perf_counter()
            writer.write(request)
            status = await _answer(reader)
            assert status == 200, (what, status)
            times[what].append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)
    writer.close()


def _get(okno: Running, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {okno.host}\r\nAuthorization: Bearer {okno.token}\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
    return int(head[9:12])
