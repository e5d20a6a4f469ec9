"""kill -9 of a rebuild at any step while messages flow: the next one goes on, and the end is what the log says."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.projector.follow import follow
from services.projector.rebuild import Wanted, rebuild
from shared.database.protocol import Database
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.benchmarks.history import record_history
from tests.peers.okno import ROOT
from tests.read_models.contents import show
from tests.read_models.test_read_models import long_history, record
from tests.read_models.test_rebuild import leftovers
from tests.services.projector.running import running

EVENTS = 2000
STEPS = ("events", "events", "indexes", "comparing", "switching")
"""At which a rebuild is killed, a random moment later."""
SEED = 20_261_122


class Cli:
    """`okno rebuild` as a process of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("OKNO_")}
        self._environment = {**inherited, "OKNO_DATABASE_URL": url, "OKNO_DATA": str(folder)}

    async def killed_at(self, step: str, after_seconds: float) -> bool:
        """Whether it was killed before its end."""
        process = await self._started()
        assert process.stderr is not None
        async for line in process.stderr:
            if line.startswith(f'{{"step":"{step}'.encode()):
                break
        await asyncio.sleep(after_seconds)
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        return process.returncode == -9

    async def __call__(self) -> list[dict[str, Any]]:
        process = await self._started()
        out, err = await process.communicate()
        assert process.returncode == 0, (out, err)
        items: list[dict[str, Any]] = json.loads(out)["items"]
        return items

    async def _started(self) -> asyncio.subprocess.Process:
        arguments = (sys.executable, "-m", "services.cli", "rebuild", "--json")
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *arguments, stdout=pipe, stderr=pipe, env=self._environment, cwd=ROOT
        )


async def test_a_rebuild_killed_at_any_step_ends_equal(
    database: Database, store: EventStore, any_url: str, tmp_path: Path
) -> None:
    await record_history(store, EVENTS)
    await show(database)
    chance, cli, killed = random.Random(SEED), Cli(any_url, tmp_path), 0
    events = long_history(600)

    async def flow() -> None:
        for start in range(0, len(events), 5):
            await record(store, events[start : start + 5])
            await asyncio.sleep(0.1)

    async with running(follow(database, store)):
        flowing = asyncio.create_task(flow())
        try:
            for step in STEPS:
                killed += await cli.killed_at(step, chance.uniform(0, 0.05))
            tables = await cli()
        finally:
            flowing.cancel()
    assert killed >= 3
    assert [table for table in tables if not table["equal"]] == []
    assert sorted(table["table"] for table in tables) == sorted(t for m in live.models().values() for t in m.tables)
    assert await leftovers(database) == []
    assert [compared for compared in await rebuild(database, Wanted(switch=False)) if not compared.equal] == []
