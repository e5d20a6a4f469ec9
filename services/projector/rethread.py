"""Today's rules run over history, in memory: which messages would now join another conversation than they did?

What operators moved by hand stays where they put it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from services.projector.home import CONVERSATION
from services.projector.targets import is_global
from shared.domain import events as e
from shared.domain.resolve import Clue, is_recent, resolve
from shared.event_store.topics import topic_of

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A message that stands in `actual` and would now go to `wanted` (None: a conversation of its own)."""

    message_id: UUID
    subject: str
    sender: str
    actual: UUID
    wanted: UUID | None
    reason: str
    score: int


@dataclass(slots=True)
class Rethreading:
    """Takes in the log in its order; `changes` is what came of it. Not frozen: it follows a log."""

    changes: dict[UUID, Change] = field(default_factory=dict)
    messages: int = 0
    _external: defaultdict[str, list[tuple[UUID, UUID]]] = field(default_factory=lambda: defaultdict(list))
    _threads: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    _topics: dict[UUID, tuple[UUID, datetime]] = field(default_factory=dict)
    _people: defaultdict[UUID, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _owners: dict[UUID, UUID] = field(default_factory=dict)
    _customers: dict[Key, UUID] = field(default_factory=dict)
    _places: dict[UUID, UUID] = field(default_factory=dict)
    """Where each message and reply would be."""

    def take(self, recorded: e.Recorded) -> None:
        """Take in the next event."""
        match recorded.event:
            case e.CustomerRegistered() | e.IdentityLinked() as event:
                self._customers[event.address.kind, event.address.address] = event.customer_id
            case e.MessageReceived() as event:
                self._receive(event, recorded.occurred_at)
            case e.ReplyRequested() as event:
                place = self._places[event.reply_id] = self._places.get(event.answers, event.conversation_id)
                self._people[place] |= {(to.kind, to.address) for to in event.to}
            case e.ReplySent() as event:
                place = self._places.get(event.reply_id, event.conversation_id)
                for external_id in (event.external_id, *event.known_as):
                    self._external[external_id].append((event.channel_id, place))
            case e.MessageMoved() as event:
                self._move(event)
            case e.ThreadRenamed() as event:
                self._threads[event.channel_id, event.now] = event.conversation_id

    def _receive(self, message: e.MessageReceived, said_at: datetime) -> None:
        self.messages += 1
        clues = list(self._clues(message, said_at))
        decision = resolve(clues, lambda place: self._belongs(message, place))
        actual, place = message.conversation_id, decision.conversation_id
        if message.about is not None:
            place = actual
        elif place is None:
            place = uuid5(message.message_id, "rethread") if actual in self._owners else actual
        if place != actual:
            wanted = decision.conversation_id
            subject, sender = message.subject, message.sender.address
            self.changes[message.message_id] = Change(
                message.message_id, subject, sender, actual, wanted, decision.reason, decision.score
            )  # fmt: skip
        self._stand(message, place, said_at)

    def _clues(self, message: e.MessageReceived, said_at: datetime) -> Iterator[Clue]:
        for proof in message.proves:
            for place in self._proven(message, proof):
                yield Clue(place, "proof", f"proves to have {proof}")
        thread = self._threads.get((message.channel_id, message.thread_key)) if message.thread_key else None
        if thread is not None:
            yield Clue(thread, "thread", "same thread")
        for reference in message.refers_to:
            for place in self._referred(message, reference):
                yield Clue(place, "reference", f"answers {reference}")
        topic = self._topics.get(topic_of(message)) if message.topic else None
        if topic is not None and is_recent(topic[1], said_at):
            yield Clue(topic[0], "topic", "same sender and subject")

    def _proven(self, message: e.MessageReceived, proof: str) -> list[UUID]:
        if proof.startswith(CONVERSATION):
            return [place for place in self._owners if str(place) == proof.removeprefix(CONVERSATION)]
        return self._referred(message, proof)

    def _referred(self, message: e.MessageReceived, external_id: str) -> list[UUID]:
        found = self._external.get(external_id, [])
        return [place for channel, place in found if channel == message.channel_id or is_global(external_id)]

    def _belongs(self, message: e.MessageReceived, place: UUID) -> bool:
        sender = (message.sender.kind, message.sender.address)
        customer = self._customers.get(sender)
        return sender in self._people[place] or (customer is not None and self._owners.get(place) == customer)

    def _stand(self, message: e.MessageReceived, place: UUID, said_at: datetime) -> None:
        sender = (message.sender.kind, message.sender.address)
        self._places[message.message_id] = place
        self._owners.setdefault(place, self._customers.get(sender, message.customer_id))
        self._people[place] |= {sender, *((sender[0], recipient) for recipient in message.recipients)}
        for external_id in message.known_as:
            self._external[external_id].append((message.channel_id, place))
        if message.thread_key:
            self._threads[message.channel_id, message.thread_key] = place
        if message.topic:
            self._topics[topic_of(message)] = (place, said_at)

    def _move(self, event: e.MessageMoved) -> None:
        before = self._places.get(event.message_id)
        self.changes.pop(event.message_id, None)
        self._places[event.message_id] = event.to_conversation_id
        self._owners.setdefault(event.to_conversation_id, event.to_customer_id)
        for external_id in event.known_as:
            places = self._external[external_id]
            self._external[external_id] = [(c, event.to_conversation_id if p == before else p) for c, p in places]
