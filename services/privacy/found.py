"""What there is of somebody, or of a channel up to a moment: found by reading the log once, without its content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from shared.clock import from_text, to_text
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store import erasures
from shared.event_store.log import head, read_positions, read_stored
from shared.event_store.log_rows import opened
from shared.event_store.log_streams import read_beginnings
from shared.event_store.traces import Trace, read_traces
from shared.registry.erasures import Erasure, unfinished

BATCH = 2000
OVERLAP = timedelta(weeks=1)
"""What waits for its message is found with it for so long: it tells of no channel itself."""


@dataclass(slots=True)
class Found:
    """Keys and places of it. `misplaced`: positions of events that have somebody else's key, or none.

    `lefts`: of these the ones that have a message of theirs as the last one that stays, though it has gone since;
    `moved_out`: what has their key and is on somebody else's timeline now.
    """

    keys: set[bytes] = field(default_factory=set)
    positions: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)
    lefts: dict[int, bool] = field(default_factory=dict)
    """Whether only that is theirs, and not the message which was moved."""
    moved_out: list[Trace] = field(default_factory=list)
    conversations: set[UUID] = field(default_factory=set)
    items: set[UUID] = field(default_factory=set)
    replies: set[UUID] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    first_at: str | None = None
    last_at: str | None = None
    looked_until: int = 0
    """Nothing up to this position has to be looked at again for a later moment."""

    def add(self, trace: Trace) -> None:
        self.positions.append(trace.position)
        self.kinds[trace.type] += 1
        self.first_at = self.first_at or to_text(trace.recorded_at)
        self.last_at = to_text(trace.recorded_at)
        if trace.conversation_id:
            self.conversations.add(trace.conversation_id)
        if trace.reply_id:
            self.replies.add(trace.reply_id)
        if trace.cause and trace.type in _TAKEN_IN:
            self.items.add(trace.cause)

    def take(self, trace: Trace) -> None:
        """Add an event that is sealed with a key of theirs, or with none."""
        self.add(trace)
        if trace.key:
            self.keys.add(trace.key)
        else:
            self.misplaced.append(trace.position)


def of_customers(database: Database, customers: set[UUID], until: int) -> Found:
    """Return everything of some customers up to a position of the log."""
    found, resolved, places = Found(), dict[UUID, UUID | None](), _places(database, until)
    gone = _gone(database)
    waiting: list[Trace] = []
    for trace in traces(database, until):
        place = places.get(trace.message_id)
        if trace.type in _WAITING:
            waiting.append(trace)
        if trace.type == e.QuarantineResolved.__name__:
            resolved[trace.owner] = trace.conversation_id
        if trace.owner in customers:
            if place and place not in customers and trace.type in _CONTENT:
                found.moved_out.append(trace)
            else:
                found.take(trace)
        elif place in customers and trace.type in _CONTENT | _COPIES:
            found.add(trace)
            found.misplaced.append(trace.position)
            if trace.key and trace.owner in gone:
                found.keys.add(trace.key)  # of the message alone: it was sealed apart when its owner's keys went
        elif places.get(trace.left_id) in customers:
            found.misplaced.append(trace.position)
            found.lefts[trace.position] = place not in customers
        elif (place in customers and trace.moved_to) or trace.other_id in customers:
            found.misplaced.append(trace.position)
    found.items |= {item for item, conversation_id in resolved.items() if conversation_id in found.conversations}
    found.items -= {trace.cause for trace in found.moved_out if trace.cause}
    _take_waiting(found, waiting)
    return found


def _gone(database: Database) -> frozenset[UUID]:
    """Return the customers whose keys are destroyed: what can still be read of them has keys of its own."""
    with database.reading() as tx:
        under_way = [each for each in unfinished(tx) if each.state in ("requested", "recorded")]
        waiting = {UUID(id_) for each in under_way for id_ in each.details.get("customers", ())}
        return erasures.read(tx).customers - waiting


def _places(database: Database, until: int) -> dict[UUID | None, UUID]:
    """Return on whose timeline each message is that was ever moved: the last move counts."""
    return {trace.message_id: trace.moved_to for trace in traces(database, until) if trace.moved_to}


def _take_waiting(found: Found, waiting: Iterable[Trace]) -> None:
    """Add what was quarantined or held before anybody knew whose it was."""
    known = set(found.positions)
    for trace in waiting:
        if trace.owner in found.items and trace.position not in known:
            found.take(trace)


def of_channel(
    database: Database, channel_id: UUID, before: datetime, kept: set[UUID], until: int, after: int = 0
) -> Found:
    """Return everything of a channel that was recorded before a moment, but of those who are held.

    `after`: everything up to this position was looked at for an earlier moment of the same rule.
    """
    found, waiting, all_old = Found(looked_until=after), list[Trace](), True
    places = _places(database, until) if kept else {}
    for trace in traces(database, until, after):
        all_old = all_old and trace.recorded_at < before - OVERLAP
        if all_old:
            found.looked_until = trace.position
        if trace.type in _WAITING:
            waiting.append(trace)
        if kept and not kept.isdisjoint((trace.owner, places.get(trace.message_id, trace.owner))):
            continue
        if trace.recorded_at < before and trace.channel_id == channel_id:
            found.take(trace)
    _take_waiting(found, waiting)
    _take_held(database, found, [each for each in waiting if each.recorded_at < before], channel_id)
    return found


def _take_held(database: Database, found: Found, waiting: Iterable[Trace], channel_id: UUID) -> None:
    """Add what tells of no channel, and whose item does not lie in the same stretch: its quarantine tells."""
    known = set(found.positions)
    held = [trace for trace in waiting if trace.channel_id is None and trace.position not in known]
    owners = sorted({trace.owner for trace in held})
    with database.reading() as tx:
        ours = {r.stream_id for r in read_beginnings(tx, owners) if getattr(r.event, "channel_id", None) == channel_id}
    for trace in held:
        if trace.owner in ours:
            found.take(trace)


def find(database: Database, erasure: Erasure, customers: set[UUID], kept: set[UUID], until: int) -> Found:
    """Return what an erasure is to destroy."""
    if erasure.kind == "customer":
        return of_customers(database, customers, until)
    assert erasure.until is not None
    after = int(erasure.details.get("after", 0))
    return of_channel(database, erasure.subject_id, from_text(erasure.until), kept, until, after)


def files_of(
    database: Database, found: Found, until: int, is_kept: Callable[[str], bool], copies: set[str]
) -> tuple[set[str], int]:
    """Return the sha256 of files that only these events have, none when their keys are gone; and up to where it is so.

    `is_kept`: whether there is a file at all, as what is small lies with its event; `copies`: files no event speaks of.

    Others count up to the end of the log: who sent the same file since then has it too.
    """
    wanted = set(found.positions)
    first = min(wanted, default=until + 1) - 1
    named = copies.union(*_files(database, first, until, wanted.__contains__))
    ours = set(filter(is_kept, named))
    end = log_head(database)
    if ours:
        ours -= files_between(database, 0, end, lambda position: position not in wanted)
    return ours, end


def files_between(
    database: Database, after: int, until: int, wanted: Callable[[int], bool] = lambda position: True
) -> set[str]:
    """Return the sha256 of all files of events after a position up to another, whose position is wanted."""
    return set().union(*_files(database, after, until, wanted))


def addresses_of(database: Database, found: Found) -> set[tuple[str, str]]:
    """Return the addresses, by kind, that these events speak of; none that cannot be read any more."""
    wanted, addresses = list(found.positions), set[tuple[str, str]]()
    for start in range(0, len(wanted), BATCH):
        with database.reading() as tx:
            events = read_positions(tx, wanted[start : start + BATCH])
        addresses |= {(each.kind, each.address) for r in events for each in _addresses(r.event) if each.address}
    return addresses


def _addresses(event: Any) -> Iterator[e.Address]:
    event = getattr(event, "message", event)
    for name in ("sender", "reply_to", "address"):
        if isinstance(address := getattr(event, name, None), e.Address):
            yield address
    for name in ("claimed", "to"):
        yield from (each for each in getattr(event, name, ()) if isinstance(each, e.Address))


_WAITING = {event.__name__ for event in (e.InboundQuarantined, e.ReportHeld, e.FileHeld)}
_CONTENT = {
    event.__name__
    for event in (
        e.MessageReceived, e.MessageExtended, e.CallProgressed, e.MessageEdited, e.MessageDeleted, e.MessageReacted,
        e.FilesAnnounced, e.FileArrived, e.FileMissing,
    )
}  # fmt: skip
"""What there is of a message: it stands where it was received, wherever the message is now."""
_COPIES = {e.MessageAdopted.__name__}
_TAKEN_IN = _CONTENT | {
    event.__name__
    for event in (
        *get_args(e.Notice), e.EchoReceived, e.CustomerReachChanged, e.ThreadRenamed, e.RecordingHeard,
        e.ConversationOpened, e.CustomerRegistered,
    )
}  # fmt: skip
"""What an inbound item leads to on the timeline of whoever it is of; a suggestion may be caused by somebody else's."""
_FILES = {
    event.__name__
    for event in (
        e.MessageReceived, e.MessageExtended, e.MessageAdopted, e.MessageMoved, e.MessageEdited, e.MessageDeleted,
        e.MessageReacted, e.CustomerReachChanged, e.ThreadRenamed, e.FileArrived, e.ReplyRequested,
        e.InboundQuarantined, e.ReportHeld, e.FileHeld,
    )
}  # fmt: skip


def traces(database: Database, until: int, after: int = 0) -> Iterator[Trace]:
    """Yield what is known without keys of the events between two positions."""
    position = after
    while position < until:
        with database.reading() as tx:
            traces = read_traces(tx, position, BATCH)
        if not traces:
            return
        position = traces[-1].position
        yield from (trace for trace in traces if trace.position <= until)


def _files(database: Database, after: int, until: int, wanted: Callable[[int], bool]) -> Iterator[set[str]]:
    """Yield the files of each event whose position is wanted."""
    position = after
    while position < until:
        with database.reading() as tx:
            stored = read_stored(tx, position, BATCH)
            chosen = [s for s in stored if s.type in _FILES and wanted(s.position) and s.position <= until]
            events = opened(tx, chosen)
        if not stored:
            return
        position = stored[-1].position
        for recorded in events:
            yield _sha256s(recorded.event)


def _sha256s(event: Any) -> set[str]:
    """Return the sha256 of every file an event speaks of."""
    found: set[str] = set()
    raw, file = getattr(event, "raw", None), getattr(event, "file", None)
    files = [each for each in getattr(event, "files", ()) if isinstance(each, e.File)]
    for each in (raw, file, *files):
        if each is not None and each.sha256:
            found.add(each.sha256)
    message = getattr(event, "message", None) or getattr(event, "left", None)
    if message is not None:
        found |= _sha256s(message)
    call = getattr(event, "call", None)
    if call is not None and call.recording:
        found.add(call.recording)
    return found


def log_head(database: Database) -> int:
    with database.reading() as tx:
        return head(tx)
