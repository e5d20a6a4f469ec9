"""One stretch of the log beside the tables made from it, on one snapshot: which entries, bytes and keys are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.audit.ledger import Hole
from shared.clock import now
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log import read_what_can_be_read
from shared.event_store.raw_items import fingerprints
from shared.read_models import live
from shared.read_models.changes import change_of
from shared.read_models.entries import entry_of

EVENTS = 500
ITEMS = (e.MessageReceived, e.MessageExtended, e.MessageEdited, e.MessageDeleted, e.MessageReacted,
         e.CustomerReachChanged, e.ThreadRenamed)  # fmt: skip
"""What an inbound item becomes, besides a call's further reports."""
NOTICES = ("gap/", "away/")
"""External ids of what a channel itself notes beside its messages: what it was never given, how long it was away."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Bytes that an event speaks of and that lie in blobs; `hole` says what is wrong if they are not there."""

    sha256: str
    size: int
    hole: Hole


@dataclass(slots=True)
class Stretch:
    """Not frozen: it is filled while the events are gone through."""

    events: Sequence[e.Recorded]
    until: int
    """The position of the last event, also of one that cannot be read."""
    shown_until: int
    """The tables contain the log up to here: what lies behind it may be missing yet."""
    stored: list[tuple[UUID, bool]] = field(default_factory=list)
    """Of each inbound item its channel, and whether it is shown."""
    quarantined: list[UUID] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    elsewhere: list[Elsewhere] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What the tables have of a stretch."""

    timeline: frozenset[int]
    changes: frozenset[int]
    unmerged: frozenset[int]
    raw: dict[int, str]
    """Position -> sha256 of the bytes; only of their size as text where the bytes were not read."""
    seen: frozenset[str]
    quarantine: dict[str, str]
    calls: frozenset[str]
    channels: dict[str, str]


def look(tx: Transaction, after: int, until: int, *, read_bytes: bool) -> Stretch:
    """Compare the next events after a position. `read_bytes`: hash the raw bytes, else only their length is compared.

    A stretch ends where an item's events end.
    """
    read, unreadable = read_what_can_be_read(tx, after, EVENTS)
    found = [recorded for recorded in read if recorded.position <= until]
    unreadable = {position: words for position, words in unreadable.items() if position <= until}
    is_last = len(found) + len(unreadable) < EVENTS
    events = _whole_items(found, is_last)
    ends = [events[-1].position] if events else []
    ends += unreadable if is_last or not events else []
    stretch = Stretch(events, max(ends, default=after), live.position(tx))
    unreadable = {position: words for position, words in unreadable.items() if position <= stretch.until}
    _note_unreadable(stretch, unreadable)
    if not events:
        return stretch
    tables = _tables(tx, events, after, read_bytes)
    _entries(stretch, tables, unreadable.keys())
    _items(stretch, tables)
    _raw(stretch, tables, read_bytes)
    _files(stretch)
    return stretch


def _note_unreadable(stretch: Stretch, unreadable: Mapping[int, str]) -> None:
    """When such an event was recorded is not known for sure: the last readable one before it says about when."""
    for position, words in unreadable.items():
        before = [recorded.recorded_at for recorded in stretch.events if recorded.position < position]
        at = before[-1] if before else stretch.events[0].recorded_at if stretch.events else now()
        done = "nothing; `okno audit --verify` tells whether it was changed"
        stretch.holes.append(Hole("unreadable", None, at, words, done, position))


def _whole_items(events: list[e.Recorded], is_last: bool) -> list[e.Recorded]:
    """Leave the last item to the next stretch: its events may go on there.

    Nothing is left out between others: an import is one cause of many events, with those of others among them.
    """
    if is_last or not events or (cause := events[-1].cause) is None:
        return events
    begins = next(index for index, recorded in enumerate(events) if recorded.cause == cause)
    return events[:begins] or events


def _tables(tx: Transaction, events: Sequence[e.Recorded], after: int, read_bytes: bool) -> _Tables:
    span = (after, events[-1].position)
    where = "position > ? AND position <= ?"
    quarantined = [str(r.event.item_id) for r in events if isinstance(r.event, e.InboundQuarantined)]
    progressed = [r.event for r in events if isinstance(r.event, e.CallProgressed)]
    return _Tables(
        frozenset(position for (position,) in tx.rows(f"SELECT position FROM timeline WHERE {where}", span)),
        frozenset(position for (position,) in tx.rows(f"SELECT position FROM timeline_changes WHERE {where}", span)),
        _unmerged(tx, events, where, span),
        fingerprints(tx, *span, read_bytes=read_bytes),
        frozenset(i for (i,) in tx.rows_in("SELECT id FROM routing_seen WHERE id", _causes(events))),
        dict(tx.rows_in("SELECT id, state FROM quarantine WHERE id", quarantined)),
        _ids(tx, "SELECT id FROM timeline WHERE changes = 1 AND id", [c.message_id for c in progressed]),
        dict(
            tx.rows_in(
                "SELECT id, channel_id FROM conversations WHERE id", [str(c.conversation_id) for c in progressed]
            )
        ),
    )


def _unmerged(tx: Transaction, events: Sequence[e.Recorded], where: str, span: tuple[int, int]) -> frozenset[int]:
    """Merges that were undone: they were never, so their entries are kept for past moments only."""
    if not any(isinstance(recorded.event, e.CustomersMerged) for recorded in events):
        return frozenset()
    return frozenset(position for (position,) in tx.rows(f"SELECT position FROM timeline_left WHERE {where}", span))


def _causes(events: Sequence[e.Recorded]) -> list[str]:
    return list({str(r.cause) for r in events if r.cause is not None and is_item(r)})


def _ids(tx: Transaction, sql: str, ids: Sequence[UUID]) -> frozenset[str]:
    return frozenset(found for (found,) in tx.rows_in(sql, [str(id_) for id_ in ids]))


def is_item(recorded: e.Recorded) -> bool:
    """Return whether an event is what an inbound item became."""
    event = recorded.event
    if recorded.cause is None:
        return False
    if isinstance(event, e.CallProgressed):
        return True
    return isinstance(event, ITEMS) and (recorded.actor.kind == "customer" or isinstance(event, e.MessageReceived))


# --- entries ----------------------------------------------------------------------------------------------


def _entries(stretch: Stretch, tables: _Tables, unreadable: Collection[int]) -> None:
    positions = set(unreadable)
    for recorded in stretch.events:
        if recorded.position in tables.timeline and _gives_entry(recorded):
            positions.add(recorded.position)
        if recorded.position <= stretch.shown_until and not _is_shown(recorded, tables):
            words = f"{type(recorded.event).__name__} is in the log and not on the timeline"
            stretch.holes.append(_hole("not_shown", recorded, words, "okno rebuild timeline puts it there"))
    first, last = stretch.events[0], stretch.events[-1]
    for position in sorted(tables.timeline - positions):
        words = "the timeline shows an entry of which the log knows nothing"
        at = (first if position < first.position else last).recorded_at
        stretch.holes.append(Hole("not_in_log", None, at, words, "okno rebuild timeline removes it", position))


_giving: set[type] = set()
"""Events that are known to give entries: to make one only to see that costs as much as all else."""


def _gives_entry(recorded: e.Recorded) -> bool:
    kind = type(recorded.event)
    if kind not in _giving and entry_of(recorded) is not None:
        _giving.add(kind)
    return kind in _giving


def _is_shown(recorded: e.Recorded, tables: _Tables) -> bool:
    position, event = recorded.position, recorded.event
    if isinstance(event, e.InboundQuarantined):
        return str(event.item_id) in tables.quarantine
    if position in tables.timeline or position in tables.changes:
        return True
    if isinstance(event, e.CustomersMerged) and position in tables.unmerged:
        return True
    if isinstance(event, e.CallProgressed):
        return str(event.message_id) in tables.calls
    return entry_of(recorded) is None and change_of(recorded) is None


# --- items ------------------------------------------------------------------------------------------------


def _items(stretch: Stretch, tables: _Tables) -> None:
    done: set[UUID] = set()
    for recorded in stretch.events:
        event: Any = recorded.event
        if isinstance(event, e.InboundQuarantined):
            if tables.quarantine.get(str(event.item_id)) in ("waiting", "retrying"):
                stretch.quarantined.append(event.channel_id)
        elif is_item(recorded) and recorded.cause not in done:
            assert recorded.cause is not None
            done.add(recorded.cause)
            stretch.stored.append((_channel(recorded, tables), _is_shown(recorded, tables)))
            if str(recorded.cause) not in tables.seen:
                words = f"item {recorded.cause} is in the log and not in the index against duplicates"
                stretch.holes.append(_hole("not_in_index", recorded, words, "if it comes again it will be doubled"))
            _told_by_channel(stretch, recorded)


def _channel(recorded: e.Recorded, tables: _Tables) -> UUID:
    event: Any = recorded.event
    if isinstance(event, e.CallProgressed):
        return UUID(tables.channels.get(str(event.conversation_id), str(UUID(int=0))))
    channel_id: UUID = (event.message if isinstance(event, e.MessageExtended) else event).channel_id
    return channel_id


def _told_by_channel(stretch: Stretch, recorded: e.Recorded) -> None:
    event = recorded.event
    if isinstance(event, e.MessageReceived) and event.external_id.startswith(NOTICES) and not event.waits:
        kind = f"channel_{event.external_id.split('/')[0]}"
        stretch.holes.append(_hole(kind, recorded, event.text, "told on the timeline; nobody can fetch it any more"))


# --- bytes ------------------------------------------------------------------------------------------------


def _raw(stretch: Stretch, tables: _Tables, read_bytes: bool) -> None:
    by_item: dict[UUID, list[str]] = {}
    for recorded in stretch.events:
        if recorded.cause is not None and recorded.position in tables.raw:
            by_item.setdefault(recorded.cause, []).append(tables.raw[recorded.position])
    for recorded in stretch.events:
        raw: e.Raw | None = getattr(recorded.event, "raw", None)
        if raw is None or recorded.erased:
            continue
        if recorded.position in tables.raw:
            kept = [tables.raw[recorded.position]]
        else:  # with another event of the same item
            kept = by_item.get(recorded.cause, []) if recorded.cause else []
        if not kept:
            hole = _hole("raw_missing", recorded, f"the raw bytes {raw.sha256} are gone", "nothing")
            stretch.elsewhere.append(Elsewhere(raw.sha256, raw.size, hole))
        elif (raw.sha256 if read_bytes else str(raw.size)) not in kept:
            words = f"the raw bytes are not those that came: {raw.sha256} was recorded"
            stretch.holes.append(_hole("raw_changed", recorded, words, "nothing"))


def _files(stretch: Stretch) -> None:
    for recorded in stretch.events:
        for file in () if recorded.erased else files_of(recorded.event):
            hole = _hole("file_missing", recorded, f"the file {file.name!r} ({file.sha256}) is gone", "nothing")
            stretch.elsewhere.append(Elsewhere(file.sha256, file.size, hole))


def files_of(event: e.Event) -> Iterator[e.File]:
    """Return the files that must lie in blobs because of an event."""
    match event:
        case e.MessageReceived() | e.ReplyRequested() | e.MessageEdited():
            yield from event.files
        case e.MessageExtended():
            yield from event.message.files
        case e.FileArrived():
            yield event.file


def _hole(kind: str, recorded: e.Recorded, what: str, done: str) -> Hole:
    event: Any = recorded.event
    channel_id = getattr(event, "channel_id", None)
    if isinstance(event, e.MessageExtended):
        channel_id = event.message.channel_id
    conversation_id = getattr(event, "conversation_id", None)
    return Hole(kind, channel_id, recorded.recorded_at, what, done, recorded.position, conversation_id)
