"""Runs an import of customers, a dry run of it, or its undoing, batch by batch; the API and the command both do.

A dry run decides by the same functions as the import; what it decides is thrown away.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

from shared.csv_file import PIECE, Shape, rows_of, shape_of
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.domain.card import Rules
from shared.domain.imports import Column, Judged, Line, columns_of, counts
from shared.event_store import importing
from shared.event_store.cache import StateCache
from shared.event_store.cards import own_fields_of
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.import_rows import field_names, lines_of, suggested

BATCH = 100
LEFT_SHOWN = 1000
"""Rows that an undoing names one by one; of all of them it says how many."""
Totals = dict[str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to import: `mapping` pairs of a heading (or #3) and a field; none: as the headings suggest."""

    file: BinaryIO
    name: str
    mapping: Sequence[tuple[str, str]]
    operators: Mapping[str, str]
    country: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A file whose columns are understood."""

    wanted: Wanted
    shape: Shape
    columns: tuple[Column, ...]
    rules: Rules


@dataclass(slots=True)
class Progress:
    """A batch of rows that was looked at, and the totals so far; `position`: where the log was after it."""

    judged: Sequence[Judged]
    totals: Totals
    position: int = 0


@dataclass(slots=True)
class Undoing:
    """What an undoing has done so far."""

    restored: int = 0
    retired: int = 0
    left: int = 0
    items: list[importing.Left] = field(default_factory=list)
    position: int = 0


async def plan(database: Database, wanted: Wanted) -> Plan:
    """Return how a file will be read. Raises WrongFile, and Refused when the mapping does not fit it."""
    own = await database.read(own_fields_of)
    shape = await asyncio.to_thread(shape_of, wanted.file)
    mapping = wanted.mapping or suggestions(shape, own)
    columns = columns_of(shape.headings, mapping, field_names(own))
    return Plan(wanted, shape, columns, Rules(own, wanted.operators))


def suggestions(shape: Shape, own: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the columns whose headings say what they are, as a mapping."""
    fields = enumerate(suggested(shape.headings, own), 1)
    return [(f"#{number}", each) for number, each in fields if each is not None]


async def preview(database: Database, file: BinaryIO, rows: int) -> dict[str, Any]:
    """Return how a file is written, its first rows, and where its columns would go. Raises WrongFile."""
    own = await database.read(own_fields_of)
    shape = await asyncio.to_thread(shape_of, file)
    first = await asyncio.to_thread(lambda: [cells for _, cells in islice(rows_of(file, shape), rows)])
    return {
        "encoding": shape.encoding,
        "separator": shape.separator,
        "columns": [
            {"name": name, "column": f"#{number}", "field": each}
            for number, (name, each) in enumerate(zip(shape.headings, suggested(shape.headings, own), strict=True), 1)
        ],
        "rows": first,
        "fields": field_names(own),
    }


async def dry_run(database: Database, plan: Plan) -> AsyncGenerator[Progress, None]:
    """Yield what would become of the rows. Raises WrongFile."""
    totals = counts(())
    claims = importing.Claims()
    try:
        async for lines in _batches(plan):
            judged = await database.read(partial(_dry, lines=lines, claims=claims))
            yield Progress(judged, _added(totals, judged))
    finally:
        claims.close()


def _dry(tx: Transaction, lines: Sequence[Line], claims: importing.Claims) -> list[Judged]:
    return importing.judge_lines(Session(tx, StateCache(1)), tx, lines, claims)


async def run(store: EventStore, plan: Plan, import_id: UUID, about: About) -> AsyncGenerator[Progress, None]:
    """Take the rows in; yield what became of them. Run again with the same id, it goes on where it stopped.

    Raises WrongFile, and Refused when the id is another import's or this one was undone.
    """
    totals = counts(())
    sha256 = await asyncio.to_thread(_sha256, plan.wanted.file)
    columns = tuple((f"#{column.index + 1} {column.name}", column.field) for column in plan.columns)
    started = e.ImportStarted(import_id, plan.wanted.name[:200], sha256, columns, plan.wanted.country)
    about = About(about.occurred_at, about.actor, import_id)
    await store.record(lambda session, tx: importing.start(session, tx, started, about))
    claims = importing.Claims()
    try:
        async for lines in _batches(plan):
            taken: list[Judged] = []
            handled = await store.record(partial(_take, import_id=import_id, lines=lines, taken=taken, claims=claims,
                                                 about=about))  # fmt: skip
            yield Progress(taken, _added(totals, taken), handled.position)
    finally:
        claims.close()
    handled = await store.record(lambda session, tx: importing.finish(session, tx, import_id, about))
    yield Progress((), totals, handled.position)


def _take(
    session: Session, tx: Transaction, import_id: UUID, lines: Sequence[Line], taken: list[Judged],
    claims: importing.Claims, about: About,
) -> None:  # fmt: skip
    taken[:] = importing.take_lines(session, tx, import_id, lines, claims, about)


async def undo(store: EventStore, database: Database, import_id: UUID, about: About) -> AsyncGenerator[Undoing, None]:
    """Take an import back; yield how far that is, at last when it is done. Raises NoSuchThing."""
    about = About(about.occurred_at, about.actor, import_id)
    await store.record(lambda session, tx: importing.start_undo(session, tx, import_id, about))
    done = Undoing()
    after, until = await database.read(partial(importing.span, import_id=import_id))
    while after < until:
        job = partial(importing.made_by, import_id=import_id, after=after, until=until)
        after, made = await database.read(job)
        batch: list[importing.Undone] = []
        await store.record(partial(_take_back, import_id=import_id, made=made, batch=batch, about=about))
        done.restored += batch[0].restored
        done.retired += batch[0].retired
        done.left += len(batch[0].left)
        done.items += batch[0].left[: LEFT_SHOWN - len(done.items)]
        yield done
    undone = e.ImportUndone(import_id, done.restored, done.left, done.retired)
    handled = await store.record(lambda session, tx: importing.end_undo(session, tx, undone, about))
    done.position = handled.position
    yield done


def _take_back(
    session: Session, tx: Transaction, import_id: UUID, made: Sequence[e.Recorded], batch: list[importing.Undone],
    about: About,
) -> None:  # fmt: skip
    batch[:] = [importing.take_back(session, tx, import_id, made, _met, about)]


_MET = (
    "SELECT DISTINCT customer_id FROM conversations WHERE customer_id",
    "SELECT DISTINCT customer_id FROM steps WHERE customer_id",
    "SELECT DISTINCT root_id FROM customer_groups WHERE root_id",
    "SELECT DISTINCT into_id FROM customer_groups WHERE into_id",
    "SELECT member_id FROM customer_groups WHERE member_id",
)


def _met(tx: Transaction, customer_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of some customers who have a conversation or a next step, or are merged with others."""
    ids = [str(id_) for id_ in customer_ids]
    return {UUID(id_) for sql in _MET for (id_,) in tx.rows_in(sql, ids)}


async def _batches(plan: Plan) -> AsyncIterator[list[Line]]:
    """Yield the rows of a file, read in a thread; nobody else uses the file meanwhile."""
    rows = rows_of(plan.wanted.file, plan.shape)
    lines = lines_of(rows, plan.columns, plan.rules, plan.wanted.country, len(plan.shape.headings))
    while batch := await asyncio.to_thread(lambda: list(islice(lines, BATCH))):
        yield batch


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _added(totals: Totals, judged: Sequence[Judged]) -> Totals:
    for name, number in counts(judged).items():
        totals[name] += number
    return totals
