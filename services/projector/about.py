"""Items that tell of something that is there already: what they tell goes where that something is.

What is not there is no reason to lose the item: it then opens a conversation of its own, or stands in one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.projector.targets import Target, find, thread_of, under_way
from shared.contracts import inbound as contract
from shared.contracts.inbound import InboundMessage, inbound_id
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.mapper import About
from shared.event_store.routing_entries import Place
from shared.event_store.session import Session

TOLD_ALONE = "tells of something we do not have"


@dataclass(frozen=True, slots=True)
class Told:
    """One item in hand. `home` finds or makes the conversation it belongs to when nothing else does."""

    session: Session
    tx: Transaction
    item: InboundMessage
    about: About
    home: Callable[[], Place]

    def tell(self) -> UUID:
        """Decide what the item tells; return a conversation in which it is told."""
        what = self.item.about
        assert what is not None
        places: list[Place] = []
        for told in self._events(what):
            opening = e.ConversationOpened(
                told.conversation_id, told.customer_id, self.item.channel_id, self.item.channel_kind,
                self.item.subject, TOLD_ALONE, self.item.thread_key,
            )  # fmt: skip
            self.session.decide(told.conversation_id, c.Tell(told, opening), self.about)
            places.append(Place(told.conversation_id, told.customer_id))
        return places[0].conversation_id

    def _events(self, what: contract.About) -> list[e.Told]:
        if what.edited is not None:
            return [self._edited(what.edited.external_id)]
        if what.deleted is not None:
            return [self._deleted(external_id) for external_id in dict.fromkeys(what.deleted.external_ids)]
        if what.reacted is not None:
            return [self._reacted(what.reacted)]
        if what.reach is not None:
            return [self._reach_changed(what.reach)]
        if what.renamed is not None:
            return [self._renamed(what.renamed.was)]
        raise ValueError("an item tells of nothing")

    def _target(self, external_id: str) -> tuple[Target, bool]:
        """Return the message meant and whether we have it; one we have not is awaited in the item's own thread."""
        if found := find(self.session, self.tx, self.item, external_id):
            return found, True
        return Target(self.home(), inbound_id(self.item.channel_id, external_id), is_reply=False), False

    def _edited(self, external_id: str) -> e.MessageEdited:
        target, known = self._target(external_id)
        item, sender = self.item, self.item.sender
        return e.MessageEdited(
            *_head(target.place),
            target.message_id,
            item.id,
            item.channel_id,
            external_id,
            e.Address(sender.kind, sender.address, sender.name),
            item.text,
            item.full_text,
            item.html,
            tuple(e.File(f.sha256, f.size, f.name, f.media_type, f.content_id) for f in item.files),
            known,
            self._raw(),
        )

    def _deleted(self, external_id: str) -> e.MessageDeleted:
        target, known = self._target(external_id)
        return e.MessageDeleted(
            *_head(target.place), target.message_id, self.item.channel_id, known, self._raw()
        )  # fmt: skip

    def _reacted(self, told: contract.Reacted) -> e.MessageReacted:
        target, known = self._target(told.external_id)
        head = (*_head(target.place), target.message_id, self.item.channel_id)
        return e.MessageReacted(*head, told.reactions, known, self._raw())

    def _reach_changed(self, told: contract.ReachChanged) -> e.CustomerReachChanged:
        head = _head(self.home())
        return e.CustomerReachChanged(*head, self.item.channel_id, told.reachable, told.reason, self._raw())

    def _renamed(self, was: str) -> e.ThreadRenamed:
        """The conversation keeps its thread under the new key, whether or not the new one was used already."""
        channel_id = self.item.channel_id
        place = thread_of(self.session, self.tx, channel_id, was) or self.home()
        return e.ThreadRenamed(*_head(place), channel_id, was, self.item.thread_key, self._raw())

    def _raw(self) -> e.Raw:
        return e.Raw(self.item.raw.sha256, self.item.raw.size, self.item.raw.media_type)


def echoed(session: Session, tx: Transaction, item: InboundMessage) -> Target | None:
    """Return the reply that an item is: our own come back, which says nothing new.

    It may come before we hear that the reply was sent: then it is the one under way in its thread that says the same.
    """
    found = (find(session, tx, item, external_id) for external_id in (item.external_id, *item.known_as))
    known = next((target for target in found if target is not None and target.is_reply), None)
    return known or under_way(session, tx, item)


def notices(session: Session, tx: Transaction, item: InboundMessage) -> list[tuple[Target, c.RecordNotice]]:
    """Return what an item says of replies of ours, as far as they are found."""
    told = item.about.delivery if item.about else None
    if told is None:
        return []
    found = [find(session, tx, item, external_id) for external_id in dict.fromkeys(told.external_ids)]
    return [
        (target, c.RecordNotice(target.message_id, target.attempt, *_details(told)))
        for target in found
        if target is not None and target.is_reply
    ]


def _details(
    told: contract.DeliveryNotice,
) -> tuple[Literal["delivered", "read", "delayed", "bounced", "complained"], str, str, str, str, bool | None]:
    return told.state, told.recipient, told.code, told.error, told.reason, told.hard


def _head(place: Place) -> tuple[UUID, UUID]:
    return place.conversation_id, place.customer_id
