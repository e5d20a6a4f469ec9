"""Importing 50,000 customers, trying it before and undoing it: rows a second, and how much memory grows.

Beside it, recording events like those of the import without deciding anything; what is asked for is a share of that.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4, uuid5

from services.inbox_api import exporting, importing
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.mapper import Happening
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.benchmarks.table import Figure
from tests.examples import MAILBOX, OLGA, about
from tests.peers.postgres import PostgresServer
from tests.stores import create_all_tables

ROWS, WARM = 50_000, 5_000
ABOUT = about(OLGA)


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_measure("SQLite", f"sqlite:///{Path(folder) / 'okno.db'}", Path(folder)))
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        yield from asyncio.run(_measure("PostgreSQL", postgres.create_database(), Path(folder)))


async def _measure(name: str, url: str, folder: Path) -> list[Figure]:
    database = open_database(url)
    store = create_all_tables(database)
    limit = await _bare(store)
    _write(folder / "warm.csv", WARM, "warm")
    _write(folder / "clients.csv", ROWS, "client")
    await _run(database, store, folder / "warm.csv", uuid4())
    before, import_id = _peak_megabytes(), uuid4()
    dry = await _dry(database, folder / "clients.csv")
    imported = await _run(database, store, folder / "clients.csv", import_id)
    while events := await database.read(lambda tx: read_log(tx, live.position(tx), 500)):
        await database.write(partial(live.take_in, events=events))
    exported = await _export(database)
    undone = await _undo(database, store, import_id)
    grown = _peak_megabytes() - before
    await database.close()
    rates = (("dry run of an import", dry, 0.4), ("import", imported, 0.15), ("export", exported, 0.5),
             ("undoing the import", undone, 0.15))  # fmt: skip
    return [
        *(
            Figure(
                f"{what} of {ROWS:,} customers, {name}", rate, "rows/s", share * limit, True, limit, "recording only"
            )
            for what, rate, share in rates
        ),
        Figure(f"memory that all this adds to that of {WARM:,}, {name}", grown, "MB", 40, False),
    ]


def _write(path: Path, rows: int, tag: str) -> None:
    with path.open("w") as file:
        file.write("name;email;phone;tags;notes\n")
        for n in range(rows):
            file.write(f"Клиент {n};{tag}{n}@example.com;+7999{n:07d};vip, опт;Звонить после {n % 24}\n")


async def _plan(database: Database, file: BinaryIO) -> importing.Plan:
    return await importing.plan(database, importing.Wanted(file, "clients.csv", (), {}, "RU"))


async def _dry(database: Database, path: Path) -> float:
    began = time.perf_counter()
    with path.open("rb") as file:
        async for _ in importing.dry_run(database, await _plan(database, file)):
            pass
    return ROWS / (time.perf_counter() - began)


async def _run(database: Database, store: EventStore, path: Path, import_id: UUID) -> float:
    began, totals = time.perf_counter(), dict[str, int]()
    with path.open("rb") as file:
        async for step in importing.run(store, await _plan(database, file), import_id, ABOUT):
            totals = step.totals
    return totals["new"] / (time.perf_counter() - began)


async def _undo(database: Database, store: EventStore, import_id: UUID) -> float:
    began, retired = time.perf_counter(), 0
    async for step in importing.undo(store, database, import_id, ABOUT):
        retired = step.retired
    return retired / (time.perf_counter() - began)


async def _export(database: Database) -> float:
    began, rows = time.perf_counter(), -1
    async for piece in exporting.csv_of(database, {}, ","):
        rows += piece.count(b"\n")
    return rows / (time.perf_counter() - began)


async def _bare(store: EventStore) -> float:
    """Return rows a second when three events of each are recorded in batches of the same size."""
    began = time.perf_counter()
    for start in range(0, WARM, importing.BATCH):
        ids = [uuid5(MAILBOX, f"bare {n}") for n in range(start, start + importing.BATCH)]
        happenings = [(id_, v, Happening(each, ABOUT)) for id_ in ids for v, each in enumerate(_events(id_), 1)]
        await store.record(
            lambda session, tx, happenings=happenings: [session.append(*each) for each in happenings] and None
        )  # fmt: skip
    return WARM / (time.perf_counter() - began)


def _events(id_: UUID) -> list[e.Event]:
    text = str(id_)
    changes = tuple(e.FieldChange(name, (), (text,)) for name in ("name", "tags", "notes"))
    return [
        e.CustomerRegistered(id_, "", e.Address("email", text)),
        e.IdentityLinked(id_, e.Address("phone", text)),
        e.CardChanged(id_, changes, id_, 1),
    ]


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
