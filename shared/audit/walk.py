"""Walks the log once, in bounded memory, and keeps the ledger; each step is one short read that holds up nobody."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from cryptography.exceptions import InvalidTag

from shared.audit.ledger import Hole, Ledger
from shared.audit.open_ends import OpenEnds
from shared.audit.stretch import Elsewhere, Stretch, look
from shared.blobs import Blobs
from shared.database.protocol import Database, Transaction
from shared.event_store.chain import last_link
from shared.event_store.log import head, read_what_can_be_read
from shared.event_store.moments import position_before
from shared.event_store.recorders import EVENTS
from shared.read_models import live

PATIENCE = timedelta(minutes=15)
KNOWN_BLOBS = 10_000
PART_BYTES = 1024 * 1024
Progress = Callable[[int, int], None]
"""Called with the positions compared and in all."""
Describe = Callable[[Transaction, Sequence[str]], dict[str, str]]
"""(reply ids) -> what outbound says has been done about each."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are looked at, by the time they were recorded."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class How:
    """`patience`: how long something may be under way. `rest`: idle so many times as long as each step took."""

    patience: timedelta = PATIENCE
    read_bytes: bool = True
    rest: float = 0.0
    describe: Describe = lambda tx, ids: {}
    progress: Progress = lambda done, total: None


class Bytes:
    """Are they in blobs, and are they those? Files that many events speak of are read once."""

    def __init__(self, blobs: Blobs, *, read: bool) -> None:
        self._blobs, self._read = blobs, read
        self._known: OrderedDict[str, str] = OrderedDict()

    def wrong(self, wanted: Elsewhere) -> Hole | None:
        """Return the hole where the bytes should be. Raises OSError when the disk fails."""
        if wanted.sha256 not in self._known:
            self._known[wanted.sha256] = self._look(wanted)
            if len(self._known) > KNOWN_BLOBS:
                self._known.popitem(last=False)
        match self._known[wanted.sha256]:
            case "missing":
                return wanted.hole
            case "changed":
                kind = wanted.hole.kind.replace("missing", "changed")
                return replace(wanted.hole, kind=kind, what=f"the bytes of {wanted.sha256} are not those that came")
        return None

    def _look(self, wanted: Elsewhere) -> str:
        try:
            if self._blobs.size_now(wanted.sha256) != wanted.size:
                return "changed"
            return "there" if not self._read or self._sha256(wanted) == wanted.sha256 else "changed"
        except FileNotFoundError:
            return "missing"
        except InvalidTag:
            return "changed"

    def _sha256(self, wanted: Elsewhere) -> str:
        digest = hashlib.sha256()
        for start in range(0, wanted.size, PART_BYTES):
            digest.update(self._blobs.read_now(wanted.sha256, start, start + PART_BYTES))
        return digest.hexdigest()


async def audit(database: Database, blobs: Blobs, span: Span, at: datetime, how: How) -> Ledger:
    """Return the ledger of what was recorded in a span of time, as things stand `at` this moment."""
    ledger, ends, bytes_ = Ledger(), OpenEnds(), Bytes(blobs, read=how.read_bytes)
    first, last = await database.read(partial(positions, span=span))
    ledger.position = first
    while ledger.position < last:
        began, before = asyncio.get_running_loop().time(), ledger.position
        job = partial(_step, ledger=ledger, ends=ends, until=last, read_bytes=how.read_bytes)
        stretch = await database.read(job)
        if ledger.position == before:
            break
        for hole in await asyncio.to_thread(_wrong, bytes_, stretch.elsewhere):
            ledger.note(hole)
        how.progress(ledger.position, last)
        if how.rest:
            await asyncio.sleep(how.rest * (asyncio.get_running_loop().time() - began))
    await database.read(partial(_finish, ledger=ledger, ends=ends, at=at, how=how, last=last))
    how.progress(last, last)
    return ledger


def positions(tx: Transaction, span: Span) -> tuple[int, int]:
    """Return the positions (after, until) of a span of time."""
    after = position_before(tx, span.since) if span.since else 0
    return after, (position_before(tx, span.until) if span.until else head(tx))


def _step(tx: Transaction, ledger: Ledger, ends: OpenEnds, until: int, read_bytes: bool) -> Stretch:
    stretch = look(tx, ledger.position, until, read_bytes=read_bytes)
    for channel_id, is_shown in stretch.stored:
        counts = ledger.of(channel_id)
        counts.stored += 1
        counts.shown += is_shown
    for channel_id in stretch.quarantined:
        ledger.of(channel_id).quarantined += 1
    for hole in stretch.holes:
        ledger.note(hole)
    for recorded in stretch.events:
        ends.take(tx, recorded, ledger)
    ledger.events += len(stretch.events)
    ledger.position = stretch.until
    return stretch


def _wrong(bytes_: Bytes, wanted: Sequence[Elsewhere]) -> list[Hole]:
    return [hole for each in wanted if (hole := bytes_.wrong(each))]


def _finish(tx: Transaction, ledger: Ledger, ends: OpenEnds, at: datetime, how: How, last: int) -> None:
    if last < head(tx):
        ends.close(tx, ledger)
    else:
        _cut_off(tx, ledger, at)
    overdue = list(ends.overdue(at, how.patience))
    told = how.describe(tx, [str(id_) for id_, _ in overdue if id_ is not None])
    for id_, hole in overdue:
        ledger.note(replace(hole, done=told.get(str(id_), hole.done)))
    _behind(tx, ledger, at, how.patience)
    _gaps(tx, ledger, at)


def _cut_off(tx: Transaction, ledger: Ledger, at: datetime) -> None:
    """What was made from the log cannot have come further than it: that is asked for first, as the log grows."""
    come = max(live.position(tx), last_link(tx).until)
    if come > (end := head(tx)):
        words = f"the log ends at position {end}, what was made from it had come to {come}"
        ledger.note(Hole("cut_off", None, at, words, "okno audit --verify says where events were removed", end))


def _behind(tx: Transaction, ledger: Ledger, at: datetime, patience: timedelta) -> None:
    """What is not taken in for long is a hole too: one, named by its oldest event."""
    waiting, _ = read_what_can_be_read(tx, live.position(tx), 1)
    if waiting and waiting[0].position <= ledger.position and at - waiting[0].recorded_at >= patience:
        words = f"{ledger.position - waiting[0].position + 1} positions of the log are not shown yet"
        done = "the projector takes them in; is one running?"
        ledger.note(Hole("not_taken_in", None, waiting[0].recorded_at, words, done, waiting[0].position))


def _gaps(tx: Transaction, ledger: Ledger, at: datetime) -> None:
    """Streams have no gaps (I2); the unique index answers this without reading the events."""
    sql = (
        f"SELECT originator_id, count(*), max(originator_version) FROM {EVENTS} GROUP BY originator_id"
        " HAVING count(*) <> max(originator_version) OR min(originator_version) <> 1 LIMIT 1000"
    )
    for stream, count, version in tx.rows(sql):
        words = f"stream {stream} has {count} events up to version {version}"
        ledger.note(Hole("stream_gap", None, at, words, "okno audit --verify says where events were removed"))
