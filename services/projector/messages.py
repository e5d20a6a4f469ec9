"""One message onto its timeline: whose it is, which conversation it joins, and what follows from it."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial
from uuid import UUID

from services.projector import about as about_items
from services.projector import arrived, consents, held
from services.projector.about import Told
from services.projector.arrived import message_id_of
from services.projector.auto_reply import AutoReplies
from services.projector.home import home_of
from services.projector.owners import Owners
from services.projector.steps import Steps
from services.projector.suggesting import Suggesting
from shared.contracts.inbound import Address, InboundMessage
from shared.domain import commands as c
from shared.domain import customer as customers
from shared.domain import events as e
from shared.domain.resolve import SCORES, Decision
from shared.event_store.mapper import About, Happening
from shared.event_store.routing_entries import Entries, Place, fits
from shared.event_store.session import Session
from shared.values import dataclass

_LOW = (1 << 64) - 1
QUOTES_A_STRANGER = "quotes_a_stranger"
"""Warns of a sender who refers to a message that was never theirs."""
PART = "another part of the same message"


@dataclass(frozen=True, slots=True)
class Joined:
    """Where a message goes and why."""

    conversation_id: UUID
    is_new: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class After:
    """What a message may lead to besides its own events."""

    steps: Steps
    auto_replies: AutoReplies
    suggests: Suggesting


def receive_message(owners: Owners, item: InboundMessage, after: After, *, resolves: bool) -> None:
    """Decide an item of the batch in hand. `resolves`: it stood in the quarantine before."""
    session, tx = owners.session, owners.tx
    actor = e.Actor("customer", f"{item.sender.kind}:{item.sender.address}", item.sender.name)
    about = About(item.occurred_at, actor, item.id)
    if item.about is None:
        conversation_id = _join(owners, item, about, _home(owners, item, about), after)
        after.suggests.follow(item, about)
    elif item.about.delivery is not None:
        conversation_id = _join_notice(owners, item, about)
    else:
        at_home = partial(_place_at_home, owners, item, about)
        conversation_id = Told(session, tx, item, about, at_home).tell()
        if item.vouched:
            _link(owners, item, about)
            after.suggests.follow(item, about)
        if item.raw.data is not None:
            session.keep_raw(item.raw.data)
    if item.remote_files:
        arrived.announce(session, tx, item, conversation_id, about)
    if resolves:
        session.decide_quarantine(item.id, c.ResolveQuarantined(conversation_id), about)


def _join(
    owners: Owners, item: InboundMessage, about: About, home: tuple[Joined, UUID], after: After | None = None
) -> UUID:
    session, tx, (joined, customer_id) = owners.session, owners.tx, home
    if item.vouched:
        item = replace(item, identities=(*item.identities, *_link(owners, item, about)))
    message = _message(item, joined, customer_id)
    was_awaited = message.call is not None and held.is_awaited(session, owners.known, message.message_id)
    command = c.ReceiveMessage(message, joined.decision.reason)
    decided = session.decide(joined.conversation_id, command, about, is_new=joined.is_new)
    if item.raw.data is not None and decided:
        session.keep_raw(item.raw.data)
    if decided:
        consents.keep(session, tx, message, about)
    if after is not None:
        after.steps.follow(message, decided, about, item.arrived_at)
        after.auto_replies.follow(message, decided, about)
    if was_awaited:
        held.let_go(session, tx, message, after.steps if after else None)
    return joined.conversation_id


def _join_notice(owners: Owners, item: InboundMessage, about: About) -> UUID:
    """A bounce stands where the reply is that came back; of one we know nothing of, it is a message like others."""
    session = owners.session
    notices = about_items.notices(session, owners.tx, item)
    if not notices:
        return _join(owners, item, about, _home(owners, item, about))
    first = notices[0][0].place
    decision = Decision(first.conversation_id, "tells of a reply in this conversation", SCORES["proof"])
    home = (Joined(first.conversation_id, False, decision), first.customer_id)
    _join(owners, item, about, home)
    for target, command in notices:
        session.decide(target.place.conversation_id, command, about)
    return first.conversation_id


def _home(owners: Owners, item: InboundMessage, about: About) -> tuple[Joined, UUID]:
    """Return the conversation an item joins and whose it is.

    A conversation keeps the customer who opened it: what somebody else says in it (a colleague who was in copy, a
    member of a group) stands on that customer's timeline, under its own author.
    """
    session, known = owners.session, owners.known
    if item.part_of and (whole := _whole(session, known, item)):
        return whole
    customer_id = owners.of_sender(item.sender, about)
    decision, place = home_of(session, known, item, customer_id)
    if place is not None:
        return Joined(place.conversation_id, False, decision), place.customer_id
    customer_id = customer_id or owners.register(item.sender, about, item.received_at)
    return Joined(conversation_id_for(customer_id, message_id_of(item)), True, decision), customer_id


def _whole(session: Session, known: Entries, item: InboundMessage) -> tuple[Joined, UUID] | None:
    """Return where the message is that an item is another part of."""
    id_ = message_id_of(item)
    conversation_id = session.entries.seen.get(id_) or known.seen.get(id_)
    customer_id = session.conversation(conversation_id).state.customer_id if conversation_id else None
    if conversation_id is None or customer_id is None:
        return None
    return Joined(conversation_id, False, Decision(conversation_id, PART, SCORES["proof"])), customer_id


def _place_at_home(owners: Owners, item: InboundMessage, about: About) -> Place:
    joined, customer_id = _home(owners, item, about)
    return Place(joined.conversation_id, customer_id)


def _link(owners: Owners, item: InboundMessage, about: About) -> list[Address]:
    """Give the sender the addresses their channel vouches for; return those that somebody else has."""
    taken: list[Address] = []
    customer_id = owners.of(item.sender)
    for address in item.vouched:
        owner = owners.of(address)
        if customer_id is None or not fits(address.address) or owner not in (None, customer_id):
            taken.append(address)
            continue
        for event in customers.link(customer_id, e.Address(address.kind, address.address, address.name), owner):
            owners.session.add(customer_id, Happening(event, about))
    return taken


def conversation_id_for(customer_id: UUID, message_id: UUID) -> UUID:
    """Return the id of the conversation that a message opens: the same in every process.

    It begins like the customer's: what is written together then lies together in every index (each page that a
    batch touches is written to disk, so scattered ids cost many times as much).
    """
    return UUID(int=(customer_id.int & ~_LOW) | (message_id.int & _LOW))


def _message(item: InboundMessage, joined: Joined, customer_id: UUID) -> e.MessageReceived:
    call = item.call
    return e.MessageReceived(
        joined.conversation_id,
        customer_id,
        message_id_of(item),
        item.channel_id,
        item.channel_kind,
        item.external_id,
        item.kind,
        item.direction,
        e.Address(item.sender.kind, item.sender.address, item.sender.name),
        e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type),
        joined.decision.reason,
        item.subject,
        item.text,
        item.full_text,
        item.html,
        item.recipients,
        e.Address(item.reply_to.kind, item.reply_to.address, item.reply_to.name) if item.reply_to else None,
        item.reply_channel,
        item.cannot_reply,
        item.refers_to,
        item.known_as,
        item.thread_key,
        item.fields,
        held.stored(call) if call else None,
        tuple(e.File(f.sha256, f.size, f.name, f.media_type, f.content_id) for f in item.files),
        tuple(e.Address(a.kind, a.address, a.name) for a in item.identities),
        item.nature,
        (*item.warnings, QUOTES_A_STRANGER) if joined.decision.by_a_stranger else item.warnings,
        _notice(item),
        False,
        joined.decision.score,
        item.proves,
        item.topic,
        item.same_as,
        item.id if item.part_of else None,
    )


def _notice(item: InboundMessage) -> e.DeliveryNotice | None:
    told = item.about.delivery if item.about else None
    return e.DeliveryNotice(*astuple(told)) if told else None
