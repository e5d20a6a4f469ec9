"""What events add to the routing index, gathered for a batch and written in its transaction."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from dataclasses import field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.domain.identity import mailbox_of
from shared.domain.merge import Merged
from shared.domain.next_step import CALL_BACK
from shared.event_store.mapper import Happening
from shared.event_store.topics import topic_of
from shared.values import dataclass

AUTOMATIC = UUID("5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0003")
"""Names the automatic reply to an address on a day."""
KEY_BYTES = 2000
"""PostgreSQL cannot index a key beyond 2,704 bytes, and no real Message-ID or address comes near."""

CLAIM_SLOTS = 64
"""So many claims of one address are kept: who floods us with claims of one number must not slow us down."""
Key = tuple[str, str]
Claims = dict[Key, dict[int, Key]]
"""By address claimed and slot: who claimed it, by the address they wrote from."""


def fits(key: str) -> bool:
    """Return whether a text is short enough to be looked up by."""
    return len(key) * 4 <= KEY_BYTES or len(key.encode()) <= KEY_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation and whose it is."""

    conversation_id: UUID
    customer_id: UUID


@dataclass(slots=True)
class Entries:
    """What a batch of events adds to the index; also looked up while the batch is decided."""

    seen: dict[UUID, UUID | None] = field(default_factory=dict)
    copies: dict[UUID, UUID] = field(default_factory=dict)
    """Ids of items that led to nothing, as what they say was known under another id; and further ids of items. Not
    looked up by: a copy of a copy may be something new."""
    copy_files: dict[UUID, str] = field(default_factory=dict)
    """The raw bytes of copies that are a file, which no event speaks of: by the id of the copy."""
    addresses: dict[tuple[str, str], UUID] = field(default_factory=dict)
    external: dict[str, list[tuple[UUID, Place]]] = field(default_factory=dict)
    threads: dict[tuple[UUID, str], Place] = field(default_factory=dict)
    topics: dict[UUID, tuple[Place, str]] = field(default_factory=dict)
    """Where somebody wrote of something last, and when; by `topic_of`."""
    moved: dict[UUID, UUID] = field(default_factory=dict)
    """Messages known already that are in another conversation now."""
    call_backs: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)
    """Steps that wait for a client to be reached: whose, and since when."""
    ended: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Such steps that wait no more."""
    auto_replies: dict[str, str] = field(default_factory=dict)
    """When an address was last answered automatically."""
    left: list[tuple[str, UUID]] = field(default_factory=list)
    """External ids of messages that left a conversation."""
    merged: dict[UUID, Merged | None] = field(default_factory=dict)
    """Customers who are merged into others; None: not any more."""
    claims: Claims = field(default_factory=dict)

    def conversations(self) -> Iterator[UUID]:
        """Yield the conversations that anything leads to."""
        for places in self.external.values():
            yield from (place.conversation_id for _, place in places)
        yield from (place.conversation_id for place in self.threads.values())
        yield from (place.conversation_id for place, _ in self.topics.values())

    def add(self, happening: Happening) -> None:
        """Take in one event."""
        match happening.event:
            case e.MessageReceived() as event:
                if event.part_id is not None or event.call is not None:
                    self.seen[event.message_id] = event.conversation_id
                self._add_message(event, happening)
            case e.MessageExtended() as event:
                self._add_message(event.message, happening)
            case e.ConversationOpened() as event:
                if event.thread_key and fits(event.thread_key):
                    place = Place(event.conversation_id, event.customer_id)
                    self.threads[event.channel_id, event.thread_key] = place
            case e.CustomerRegistered() | e.IdentityLinked() as event:
                self.addresses[event.address.kind, event.address.address] = event.customer_id
            case e.CustomersMerged() as event:
                self.merged[event.customer_id] = Merged(event.into_id, event.merge_id)
            case e.CustomerUnmerged() as event:
                self.merged[event.customer_id] = None
            case e.ConversationMerged() as event:
                for thread in event.threads:
                    self.threads[thread] = Place(event.into_id, event.into_customer_id)
            case e.ConversationUnmerged() as event:
                for thread in event.threads:
                    self.threads[thread] = Place(event.conversation_id, event.customer_id)
            case e.MessageMoved() as event:
                for external_id in event.known_as:
                    self._remove_external(external_id, event.conversation_id)
            case e.MessageAdopted() as event:
                place = Place(event.conversation_id, event.customer_id)
                self.moved[event.message.message_id] = event.conversation_id
                for external_id in event.message.known_as:
                    self._add_external(external_id, event.message.channel_id, place)
                if event.message.topic:
                    self._add_topic(event.message, place, event.said_at)
            case e.CallProgressed() as event if happening.about.cause:
                self.seen[happening.about.cause] = event.conversation_id
            case (
                e.MessageEdited()
                | e.MessageDeleted()
                | e.MessageReacted()
                | e.CustomerReachChanged()
                | e.ThreadRenamed()
            ) as event:
                if happening.about.cause and happening.about.actor.kind == "customer":
                    self.seen[happening.about.cause] = event.conversation_id
                if isinstance(event, e.ThreadRenamed) and event.now and fits(event.now):
                    self.threads[event.channel_id, event.now] = Place(event.conversation_id, event.customer_id)
            case e.ReplyRequested() | e.ActionRequested() as event:
                self.seen[event.reply_id] = event.conversation_id
                if isinstance(event, e.ReplyRequested) and event.automatic:
                    self._add_auto_reply(event, happening.about.occurred_at)
            case e.StepPlanned() as event:
                if event.what == CALL_BACK:
                    self.call_backs[event.step_id] = (event.customer_id, to_text(happening.about.occurred_at))
            case (e.StepDone() | e.StepDeclined()) as event if event.what == CALL_BACK:
                self.call_backs.pop(event.step_id, None)
                self.ended.append((event.customer_id, event.step_id))
            case e.EchoReceived() as event:
                self.seen[event.item_id] = event.conversation_id
                place = Place(event.conversation_id, event.customer_id)
                for external_id in (event.external_id, *event.known_as):
                    self._add_external(external_id, event.channel_id, place)
            case e.NoteAdded() as event:
                self.seen[event.note_id] = event.conversation_id
            case e.QuarantineResolved() as event if self.seen.get(event.item_id) is None:
                self.seen[event.item_id] = event.conversation_id  # by a copy of it that was understood
            case e.ReplySent() as event:
                place = Place(event.conversation_id, event.customer_id)
                for external_id in (event.external_id, *event.known_as):
                    self._add_external(external_id, event.channel_id, place)

    def _add_message(self, message: e.MessageReceived, happening: Happening) -> None:
        known_under = happening.about.cause or message.message_id
        self.seen[known_under] = message.conversation_id
        for id_ in message.same_as:
            self.seen[id_] = message.conversation_id
            self.copies[id_] = known_under
        place = Place(message.conversation_id, message.customer_id)
        for external_id in message.known_as:
            self._add_external(external_id, message.channel_id, place)
        if message.thread_key and fits(message.thread_key):
            self.threads[message.channel_id, message.thread_key] = place
        if message.topic:
            self._add_topic(message, place, happening.about.occurred_at)
        if message.claimed:
            self._add_claims(message)

    def _add_claims(self, message: e.MessageReceived) -> None:
        by = (message.sender.kind, message.sender.address)
        for address in message.claimed:
            if fits(address.address) and fits(by[1]):
                slots = self.claims.setdefault((address.kind, address.address), {})
                slots[zlib.crc32(f"{by[0]}:{by[1]}".encode()) % CLAIM_SLOTS] = by

    def _add_auto_reply(self, reply: e.ReplyRequested, at: datetime) -> None:
        """Two processes that answer one address on one day at once are a Conflict."""
        address = mailbox_of(reply.to[0].address)
        self.auto_replies[address] = max(self.auto_replies.get(address, ""), to_text(at))
        self.seen[uuid5(AUTOMATIC, f"{address} {at.date()}")] = reply.conversation_id

    def _add_external(self, external_id: str, channel_id: UUID, place: Place) -> None:
        if external_id and fits(external_id):
            known = self.external.setdefault(external_id, [])
            if (channel_id, place) not in known:
                known.append((channel_id, place))

    def _remove_external(self, external_id: str, conversation_id: UUID) -> None:
        kept = [
            (c, place) for c, place in self.external.get(external_id, []) if place.conversation_id != conversation_id
        ]
        self.external[external_id] = kept
        self.left.append((external_id, conversation_id))

    def _add_topic(self, message: e.MessageReceived, place: Place, at: datetime) -> None:
        id_ = topic_of(message)
        known = self.topics.get(id_)
        if known is None or known[1] <= to_text(at):
            self.topics[id_] = (place, to_text(at))

    def drop(self, customers: Collection[UUID]) -> None:
        """Leave out what would lead to these customers: what comes of them after their erasure leads nowhere."""
        if not customers:
            return
        self.addresses = {key: id_ for key, id_ in self.addresses.items() if id_ not in customers}
        self.threads = {key: place for key, place in self.threads.items() if place.customer_id not in customers}
        self.topics = {key: found for key, found in self.topics.items() if found[0].customer_id not in customers}
        self.call_backs = {step: found for step, found in self.call_backs.items() if found[0] not in customers}
        for external_id, places in self.external.items():
            self.external[external_id] = [found for found in places if found[1].customer_id not in customers]

    def save(self, tx: Transaction) -> None:
        """Write the entries. Raises the driver's unique violation when an id or address is known already."""
        tx.insert_many(
            "routing_seen",
            ("id", "conversation_id"),
            _texts(list(self.seen.items())),
        )
        copies = _texts(list(self.copies.items()))
        tx.insert_many("routing_copies", ("id", "copy_of"), copies, "ON CONFLICT (id) DO NOTHING")
        files = _texts(list(self.copy_files.items()))
        tx.insert_many("routing_copy_files", ("id", "sha256"), files, "ON CONFLICT (id) DO NOTHING")
        tx.insert_many(
            "routing_addresses",
            ("kind", "address", "customer_id"),
            _texts([(*key, customer) for key, customer in self.addresses.items()]),
        )
        if self.moved:
            tx.run_many(
                "UPDATE routing_seen SET conversation_id = ? WHERE id = ?",
                [(str(conversation), str(id_)) for id_, conversation in self.moved.items()],
            )
        if self.left:
            sql = "DELETE FROM routing_external WHERE external_id = ? AND conversation_id = ?"
            tx.run_many(sql, [(external_id, str(conversation)) for external_id, conversation in self.left])
        tx.insert_many(
            "routing_external",
            ("external_id", "channel_id", "conversation_id", "customer_id"),
            _texts(
                [
                    (external_id, channel_id, place.conversation_id, place.customer_id)
                    for external_id, places in self.external.items()
                    for channel_id, place in places
                ]
            ),
            "ON CONFLICT DO NOTHING",
        )
        tx.insert_many(
            "routing_threads",
            ("channel_id", "thread_key", "conversation_id", "customer_id"),
            _texts([(*key, place.conversation_id, place.customer_id) for key, place in self.threads.items()]),
            "ON CONFLICT (channel_id, thread_key) DO UPDATE"
            " SET conversation_id = excluded.conversation_id, customer_id = excluded.customer_id",
        )
        if self.ended:
            tx.run_many(
                "DELETE FROM routing_call_backs WHERE customer_id = ? AND step_id = ?",
                [(str(c), str(s)) for c, s in self.ended],
            )
        if self.call_backs:
            rows = [(str(customer), str(step), since) for step, (customer, since) in self.call_backs.items()]
            tx.insert_many("routing_call_backs", ("customer_id", "step_id", "since"), rows)
        if self.auto_replies:
            tx.insert_many(
                "routing_auto_replies",
                ("address", "at"),
                list(self.auto_replies.items()),
                "ON CONFLICT (address) DO UPDATE SET at = excluded.at WHERE routing_auto_replies.at < excluded.at",
            )
        if self.merged:
            tx.run_many("DELETE FROM routing_merges WHERE customer_id = ?", [(str(id_),) for id_ in self.merged])
            rows = [(str(id_), str(m.into_id), str(m.merge_id)) for id_, m in self.merged.items() if m]
            tx.insert_many("routing_merges", ("customer_id", "into_id", "merge_id"), rows)
        if self.claims:
            claims = [(*key, slot, *by) for key, slots in self.claims.items() for slot, by in slots.items()]
            tail = (
                "ON CONFLICT (address, kind, slot)"
                " DO UPDATE SET by_kind = excluded.by_kind, by_address = excluded.by_address"
            )
            tx.insert_many("routing_claims", ("kind", "address", "slot", "by_kind", "by_address"), claims, tail)
        if self.topics:
            tx.insert_many(
                "routing_topics",
                ("id", "conversation_id", "customer_id", "at"),
                [(str(id_), str(p.conversation_id), str(p.customer_id), at) for id_, (p, at) in self.topics.items()],
                "ON CONFLICT (id) DO UPDATE SET conversation_id = excluded.conversation_id,"
                " customer_id = excluded.customer_id, at = excluded.at WHERE routing_topics.at <= excluded.at",
            )


def _texts(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with their ids as text: all at once takes a fifth of the time."""
    texts: list[tuple[Any, ...]] = msgspec.to_builtins(rows)
    return texts
