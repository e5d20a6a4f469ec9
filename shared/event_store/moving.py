"""Moves clients' messages to another conversation: two streams, one transaction, the routing index with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import customer as customers
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import Wanted, look_up
from shared.event_store.routing_entries import Place
from shared.event_store.session import Session

BEGINNING = 400
"""Characters of a moved message that its new conversation keeps, for lists; the whole stays where it was received."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A client's message that is in a conversation, and when it was said."""

    message: e.MessageReceived
    said_at: datetime


def move(
    session: Session, tx: Transaction, source: UUID, message_ids: Sequence[UUID], to: UUID | None, about: About
) -> UUID:
    """Move some messages together, in the order they were said; `to` None: into a new conversation.

    Return where they are. Raises Refused, also for the conversation of somebody who was erased: nobody could read there
    what another one wrote.
    """
    if to is not None:
        session.refuse_erased(_known_place(session, to).customer_id)
    return move_back(session, tx, source, message_ids, to, about)


def move_back(
    session: Session, tx: Transaction, source: UUID, message_ids: Sequence[UUID], to: UUID | None, about: About
) -> UUID:
    """As `move`, also to somebody who was erased: what they wrote themselves."""
    here = stays(session, tx, source)
    chosen = [stay for stay in here if stay.message.message_id in message_ids]
    if not chosen or len(chosen) < len(set(message_ids)):
        raise NoSuchThing("no_such_message", "There is no message of a client with this id in this conversation")
    place = _known_place(session, to) if to else _new_place(session, tx, chosen[0].message, len(here), about)
    there = [stay.said_at for stay in stays(session, tx, place.conversation_id) if stay.message.waits]
    newest = max(there, default=None)
    for stay in chosen:
        here = [other for other in here if other is not stay]
        _move(session, stay, here, place, newest is None or stay.said_at >= newest, about)
    return place.conversation_id


def _move(session: Session, moved: Stay, here: list[Stay], place: Place, is_newest: bool, about: About) -> None:
    """`here`: what stays behind."""
    others = [stay for stay in here if stay.message.direction == "inbound"]
    waiting = [stay for stay in others if stay.message.waits]
    left = next(reversed(waiting or others), None)
    source = moved.message.conversation_id
    call = session.conversation(source).state.calls.get(moved.message.message_id)  # as all its reports tell of it
    away = c.MoveAway(
        moved.message.message_id,
        place.conversation_id,
        place.customer_id,
        moved.said_at,
        moved.message.known_as,
        _beginning(left.message) if left else None,
        left.said_at if left else None,
        min((stay.said_at for stay in waiting if stay.said_at >= moved.said_at), default=None),
    )
    session.decide(source, away, about)
    message = replace(
        _beginning(moved.message), conversation_id=place.conversation_id, customer_id=place.customer_id, call=call
    )  # fmt: skip
    session.decide(place.conversation_id, c.TakeIn(message, source, moved.said_at, is_newest), about)


def stays(session: Session, tx: Transaction, conversation_id: UUID) -> list[Stay]:
    """Return the clients' messages that are in a conversation now, in order."""
    found: dict[UUID, Stay] = {}
    past = [(recorded.event, recorded.occurred_at) for recorded in read_stream(tx, conversation_id)]
    decided = [(h.event, h.about.occurred_at) for stream, _, h in session.appended if stream == conversation_id]
    for event, occurred_at in (*past, *decided):
        match event:
            case e.MessageReceived() as message:
                found[message.message_id] = Stay(message, occurred_at)
            case e.MessageAdopted():
                found[event.message.message_id] = Stay(event.message, event.said_at)
            case e.MessageMoved():
                found.pop(event.message_id, None)
    return sorted(found.values(), key=lambda stay: stay.said_at)


def _known_place(session: Session, to: UUID) -> Place:
    customer_id = session.conversation(to).state.customer_id
    if customer_id is None:
        raise NoSuchThing("no_such_conversation", "There is no conversation to move it to")
    return Place(to, customer_id)


def _new_place(session: Session, tx: Transaction, message: e.MessageReceived, count: int, about: About) -> Place:
    """A new conversation belongs to whoever wrote the message, not to whose conversation it was in."""
    sender = message.sender
    key = (sender.kind, sender.address)
    customer_id = look_up(tx, Wanted((), (key,), (), ())).addresses.get(key)
    if customer_id is None:
        if not sender.address:
            raise Refused("erased", "What an erased client wrote belongs to nobody else: it stays where it is")
        customer_id = session.new_customer_id(sender, about.occurred_at)
        events: Sequence[e.CustomerRegistered] = customers.register(customer_id, sender, customers.Customer())
        for event in events:
            session.append(customer_id, 1, Happening(event, about))
    return Place(uuid5(message.message_id, f"moved from {message.conversation_id}/{count}"), customer_id)


def _beginning(message: e.MessageReceived) -> e.MessageReceived:
    return replace(
        message, text=message.text[:BEGINNING], full_text="", html="", fields=(), files=(), claimed=(), warnings=()
    )  # fmt: skip
