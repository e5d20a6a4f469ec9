"""Builds read models anew beside the live ones, compares, and switches them in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shared.database.protocol import Database, Transaction
from shared.database.schema import lock_schema
from shared.domain.events import Recorded
from shared.event_store.log import read_log
from shared.logs import Log
from shared.read_models import live

BATCH = 1000
log = Log("projector")
Progress = Callable[[int, int], None]
"""Called with the positions done and in all."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The outcome for one table: rows in the new one, and rows that only one of the two has."""

    table: str
    rows: int
    only_live: int
    only_rebuilt: int

    @property
    def equal(self) -> bool:
        return self.only_live == 0 and self.only_rebuilt == 0


async def rebuild(
    database: Database, names: Sequence[str], *, switch: bool, progress: Progress = lambda done, total: None
) -> list[Rebuilt]:
    """Rebuild the named models (all when empty) while messages flow. `switch`: make the new tables the live ones.

    Raises KeyError for an unknown name.
    """
    chosen = [live.models()[name].name for name in names] or list(live.models())
    prefix, position = await replay(database, chosen, progress)
    return await database.write(partial(_finish, names=chosen, prefix=prefix, after=position, switch=switch))


async def replay(
    database: Database, names: Sequence[str], progress: Progress = lambda done, total: None
) -> tuple[str, int]:
    """Build new tables of these models beside the live ones; return their prefix and the position they contain."""
    prefix = await database.write(partial(_prepare, names=names))
    position = await _fill(database, names, prefix, progress)
    for name in names:
        await database.write(partial(_index, name=name, prefix=prefix))
    return prefix, position


async def _fill(database: Database, names: Sequence[str], prefix: str, progress: Progress) -> int:
    """Apply the log as far as the live tables are; return how far that was. Reading runs ahead of writing."""
    total = await database.read(partial(_reached, names=names))
    position, ahead = 0, asyncio.create_task(database.read(partial(read_log, after=0, limit=BATCH)))
    try:
        while events := [recorded for recorded in await ahead if recorded.position <= total]:
            position = events[-1].position
            ahead = asyncio.create_task(database.read(partial(read_log, after=position, limit=BATCH)))
            await database.write(partial(_apply, names=names, prefix=prefix, events=events))
            progress(position, total)
            total = total if position < total else await database.read(partial(_reached, names=names))
    finally:
        ahead.cancel()
    progress(total, total)
    return position


async def rebuild_outdated(database: Database) -> None:
    """Rebuild the models whose tables an older version of them has filled."""
    standings = await database.read(live.standings)
    outdated = [name for name, standing in standings.items() if standing.version != live.models()[name].version]
    if outdated:
        log.info("rebuilding", read_models=outdated)
        await rebuild(database, outdated, switch=True)


def _prepare(tx: Transaction, names: Sequence[str]) -> str:
    """Create the tables to build into; return their prefix."""
    lock_schema(tx)
    generation = 1 + max(standing.generation for standing in live.standings(tx, lock=True).values())
    prefix = f"g{generation}_"
    for name in names:
        for table in live.models()[name].tables:
            tx.run(f"DROP TABLE IF EXISTS {prefix}{table}")
        tx.script(live.models()[name].schema(prefix))
        tx.run("UPDATE read_model_positions SET generation = ? WHERE name = ?", (generation, name))
    return prefix


def _reached(tx: Transaction, names: Sequence[str]) -> int:
    return min(standing.position for name, standing in live.standings(tx).items() if name in names)


def _apply(tx: Transaction, names: Sequence[str], prefix: str, events: Sequence[Recorded]) -> None:
    for name in names:
        live.models()[name].apply(tx, events, prefix)


def _index(tx: Transaction, name: str, prefix: str) -> None:
    tx.script(live.models()[name].indexes(prefix))


def _finish(tx: Transaction, names: Sequence[str], prefix: str, after: int, switch: bool) -> list[Rebuilt]:
    """With the live tables held still: catch up to them, compare, switch or drop."""
    lock_schema(tx)
    standings = live.standings(tx, lock=True)
    outcome: list[Rebuilt] = []
    for name in names:
        model, until, reached = live.models()[name], standings[name].position, after
        while reached < until:
            events = [recorded for recorded in read_log(tx, reached, BATCH) if recorded.position <= until]
            model.apply(tx, events, prefix)
            reached = events[-1].position if events else until
        outdated = standings[name].version != model.version
        for table in model.tables:
            outcome.append(
                Rebuilt(table, _count(tx, prefix + table), 0, 0) if outdated else _compare(tx, table, prefix)
            )
            _replace(tx, table, prefix) if switch else tx.run(f"DROP TABLE {prefix}{table}")
        if switch:
            tx.run("UPDATE read_model_positions SET version = ? WHERE name = ?", (model.version, name))
    tx.notify(live.TOPIC)
    return outcome


def _compare(tx: Transaction, table: str, prefix: str) -> Rebuilt:
    only_live = _count(tx, f"(SELECT * FROM {table} EXCEPT SELECT * FROM {prefix}{table}) AS d")
    only_rebuilt = _count(tx, f"(SELECT * FROM {prefix}{table} EXCEPT SELECT * FROM {table}) AS d")
    return Rebuilt(table, _count(tx, prefix + table), only_live, only_rebuilt)


def _replace(tx: Transaction, table: str, prefix: str) -> None:
    tx.run(f"DROP TABLE {table}")
    tx.run(f"ALTER TABLE {prefix}{table} RENAME TO {table}")


def _count(tx: Transaction, source: str) -> int:
    row = tx.row(f"SELECT count(*) FROM {source}")
    return int(row[0]) if row else 0
