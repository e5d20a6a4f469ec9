"""One attempt at deciding: reads on a snapshot, collects events and index entries, writes them in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile
from typing import cast
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent, Tracking

from shared.database.protocol import Conflict, Transaction
from shared.domain import commands as c
from shared.domain import conversation as conversations
from shared.domain import events as e
from shared.domain import next_step, quarantine
from shared.domain.customer import customer_id_at, customer_id_for
from shared.domain.errors import Refused
from shared.event_store import erasures
from shared.event_store.cache import StateCache, Versioned
from shared.event_store.log_streams import read_short, read_stream
from shared.event_store.mapper import About, Happening, from_state, key_of, to_state
from shared.event_store.recorders import recorder_for
from shared.event_store.routing import forget
from shared.event_store.routing_entries import Entries
from shared.event_store.sealing import Sealing
from shared.event_store.streams import last_version, past_of
from shared.keys.ring import NOBODY

TOPIC = "events"
UNKNOWN = Versioned(0, conversations.NEW)
FORESEEN, FORESEEN_EVENTS = 100, 50
"""So many conversations at once, if they have fewer events: memory stays bounded."""
_ABOUT_SOMEBODY = (
    e.NoteAdded, e.StepPlanned, e.ConsentGiven, e.ConsentWithdrawn, e.ReplyRetried, e.ActionRequested,
)  # fmt: skip
"""What says something of a customer, or to them: of one who was erased nothing new is to be said."""


class Session:
    """Decides commands one after the other; each sees what the ones before it decided.

    `careful`: look into the log even for streams that should be new (after a Conflict).
    """

    def __init__(
        self, tx: Transaction, cache: StateCache, *, careful: bool = False, erased: erasures.Erased | None = None
    ) -> None:
        self._tx, self._cache, self._careful = tx, cache, careful
        self._erasures = erased or erasures.read(tx)
        self.states: dict[UUID, Versioned] = {}
        self._read: dict[UUID, Versioned] = {}
        """As they are in the log, before what is decided here."""
        self.entries = Entries()
        self.resolved: list[UUID] = []
        self.raw_items: list[tuple[int, bytes]] = []
        self.erases = False
        """Somebody is erased: what this process remembers is not to be used any more."""
        self.appended: list[tuple[UUID, int, Happening]] = []

    def conversation(self, conversation_id: UUID, *, is_new: bool = False) -> Versioned:
        """Return the state of a conversation; `is_new`: it cannot have a stream yet."""
        known = self.states.get(conversation_id) or self._cache.get(conversation_id) or self._read.get(conversation_id)
        if known is None and is_new and not self._careful:
            return UNKNOWN
        if known is None:
            known = self._read[conversation_id] = self._fold(conversation_id)
        return known

    def foresee(self, conversation_ids: Iterable[UUID]) -> None:
        """Read what is not remembered of some conversations, many at once: each by itself costs as much as a message.

        One that is too long for that, or cannot be read, is left to whoever asks for it.
        """
        wanted = [id_ for id_ in dict.fromkeys(conversation_ids) if self._cache.get(id_) is None]
        for start in range(0, len(wanted), FORESEEN):
            past = read_short(self._tx, wanted[start : start + FORESEEN], FORESEEN_EVENTS)
            self._read |= {id_: _folded(UNKNOWN, events) for id_, events in past.items()}

    def fold(self, conversation_id: UUID) -> conversations.Conversation:
        """Return a conversation as it is in the log, whatever is remembered of it."""
        return self._fold(conversation_id, self.conversation(conversation_id)).state

    def decide(
        self, conversation_id: UUID, command: c.ConversationCommand, about: About, *, is_new: bool = False
    ) -> list[e.ConversationEvent]:
        """Decide a command and keep its events. `about` gives time, actor and cause. Raises Refused."""
        remembered = conversation_id not in self.states and self._cache.get(conversation_id)
        known = self.conversation(conversation_id, is_new=is_new)
        if remembered and _decides_nothing(command, known.state):
            known = self._fold(conversation_id, known)  # a remembered state may be old; only an append would show it
        version, state = known.version, known.state
        decided = conversations.decide(command, state)
        for event in decided:
            version += 1
            state = conversations.evolve(state, event)
            self.append(conversation_id, version, Happening(event, about))
        if decided:
            self.states[conversation_id] = Versioned(version, state)
        return decided

    def decide_quarantine(self, item_id: UUID, command: c.QuarantineCommand, about: About) -> int:
        """Decide a command about a quarantined item; return how many events that made. Raises Refused."""
        past = past_of(self._tx, item_id, e.QuarantineEvent)
        past += [happening.event for stream_id, _, happening in self.appended if stream_id == item_id]
        state: quarantine.State = "none"
        item: e.InboundQuarantined | None = None
        for event in cast("list[e.QuarantineEvent]", past):
            state = quarantine.evolve(state, event)
            item = event if isinstance(event, e.InboundQuarantined) else item
        decided = quarantine.decide(command, state, item)
        for number, decision in enumerate(decided, len(past) + 1):
            self.append(item_id, number, Happening(decision, about))
            if isinstance(decision, e.QuarantineResolved):
                self.resolved.append(item_id)
            if isinstance(decision, e.InboundQuarantined) and not past:
                self.entries.seen[item_id] = None
        return len(decided)

    def decide_step(self, step_id: UUID, command: c.StepCommand, about: About) -> list[e.StepEvent]:
        """Decide a command about a next step. Raises Refused."""
        past = past_of(self._tx, step_id, e.StepEvent, creates=isinstance(command, c.PlanStep))
        past += [happening.event for stream_id, _, happening in self.appended if stream_id == step_id]
        step = next_step.NONE
        for event in cast("list[e.StepEvent]", past):
            step = next_step.evolve(step, event)
        decided = next_step.decide(command, step)
        for number, decision in enumerate(decided, len(past) + 1):
            self.append(step_id, number, Happening(decision, about))
        return decided

    def append(self, stream_id: UUID, version: int, happening: Happening) -> None:
        """Keep one event for the end of a stream. Raises Refused for an operator's word on somebody who was erased."""
        if isinstance(happening.event, _ABOUT_SOMEBODY) and happening.about.actor.kind == "operator":
            self.refuse_erased(happening.event.customer_id)
        self.erases = self.erases or isinstance(happening.event, e.CustomerErased)
        self.appended.append((stream_id, version, happening))
        self.entries.add(happening)

    def add(self, stream_id: UUID, happening: Happening) -> None:
        """Keep one event for the end of a stream, wherever that is."""
        appended = sum(stream == stream_id for stream, _, _ in self.appended)
        self.append(stream_id, last_version(self._tx, stream_id) + appended + 1, happening)

    def keep_raw(self, data: bytes) -> None:
        """Keep the raw bytes of the item that the last events came from, with the one of them that tells of bytes.

        Where none does (a call's further report) they stand with the last.
        """
        last = len(self.appended) - 1
        cause = self.appended[last][2].about.cause
        of_item = takewhile(lambda index: self.appended[index][2].about.cause == cause, range(last, -1, -1))
        told = (index for index in of_item if getattr(self.appended[index][2].event, "raw", None) is not None)
        self.raw_items.append((next(told, last), data))

    def save(self, tx: Transaction, recorded_at: datetime, tracking: Sequence[Tracking]) -> list[e.Recorded]:
        """Write everything; return the events as they stand in the log. Raises Behind or a unique violation.

        No other writer can come between them, so their positions are the last ones of the log.
        """
        recorder = recorder_for(tx)
        stored, kept = self._sealed(tx, recorded_at)
        if tx.dialect == "postgres" and self.appended:
            tx.run("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        if self.appended and erasures.number(tx) != self._erasures.number:
            raise Conflict("somebody was erased meanwhile: what is remembered of them must not be used")
        recorder.insert(stored, tracking)
        if self.resolved:
            tx.run_many(
                "DELETE FROM routing_seen WHERE id = ? AND conversation_id IS NULL", [(str(i),) for i in self.resolved]
            )
        self.entries.drop(self._erasures.customers)
        self.entries.save(tx)
        if not self.appended:
            return []
        erased = [h.event.customer_id for _, _, h in self.appended if isinstance(h.event, e.CustomerErased)]
        erasures.add(tx, erased)
        forget(tx, erased)
        tx.notify(TOPIC)
        first = (recorder.max_notification_id() or 0) - len(self.appended) + 1
        raw_items = [(first + index, data) for index, data in kept]
        tx.insert_many("raw_items", ("position", "data"), raw_items)
        recorded = [
            e.Recorded(
                position,
                stream,
                version,
                recorded_at,
                happening.about.occurred_at,
                happening.about.cause,
                happening.about.actor,
                happening.event,
            )
            for position, (stream, version, happening) in enumerate(self.appended, first)
        ]
        return self._as_left(recorded, stored) if self._erasures.customers else recorded

    def _sealed(self, tx: Transaction, recorded_at: datetime) -> tuple[list[StoredEvent], list[tuple[int, bytes]]]:
        """Return the events as they are stored, and raw bytes by the index of theirs.

        Before the lock, which all other processes wait for; it takes a fifth of the time.
        """
        sealing = self._sealing(tx, recorded_at)
        raws = dict(self.raw_items)
        stored, kept = list[StoredEvent](), list[tuple[int, bytes]]()
        for index, (stream, version, happening) in enumerate(self.appended):
            state = sealing.state(happening) if sealing else to_state(happening, recorded_at)
            stored.append(StoredEvent(stream, version, type(happening.event).__name__, state))
            if index in raws:
                data = raws[index]
                kept.append((index, sealing.raw(happening.event, data) if sealing else data))
        return stored, kept

    def new_customer_id(self, address: e.Address, at: datetime | None = None) -> UUID:
        """Return the id of a customer to be registered from an address; one who was erased comes back as another.

        `at`: when they wrote; who is imported did not.
        """
        customer_id = customer_id_at(at, address) if at else customer_id_for(address)
        while customer_id in self._erasures.customers:
            customer_id = uuid5(customer_id, "after the erasure")
        return customer_id

    def _as_left(self, recorded: list[e.Recorded], stored: Sequence[StoredEvent]) -> list[e.Recorded]:
        """Return what was sealed with a key that nobody keeps as everybody will read it."""
        gone = {NOBODY: None}
        return [
            from_state(r.position, r.stream_id, r.version, s.topic, s.state, openers=gone)
            if key_of(s.state) == NOBODY
            else r
            for r, s in zip(recorded, stored, strict=True)
        ]

    def refuse_erased(self, customer_id: UUID) -> None:
        """Raises Refused for somebody who was erased."""
        if customer_id in self._erasures.customers:
            raise Refused("erased", "The client was erased: nothing more can be written about them")

    def _sealing(self, tx: Transaction, recorded_at: datetime) -> Sealing | None:
        if tx.keys is None:
            return None
        return Sealing(tx.keys, recorded_at, self._erasures.customers, self._channel_of)

    def _channel_of(self, conversation_id: UUID) -> UUID | None:
        known = self.states.get(conversation_id)
        return known.state.channel_id if known else None

    def _fold(self, conversation_id: UUID, known: Versioned = UNKNOWN) -> Versioned:
        """Return `known` brought up to date from the log; what is no conversation stays unknown."""
        return _folded(known, read_stream(self._tx, conversation_id, after_version=known.version))


def _folded(known: Versioned, events: Sequence[e.Recorded]) -> Versioned:
    state, version = known.state, known.version
    for past in events:
        if past.version == 1 and not isinstance(past.event, e.ConversationEvent):
            return UNKNOWN
        state = conversations.evolve(state, cast("e.ConversationEvent", past.event))
        version = past.version
    return Versioned(version, state)


def _decides_nothing(command: c.ConversationCommand, state: conversations.Conversation) -> bool:
    try:
        return not conversations.decide(command, state)
    except Refused:
        return True
