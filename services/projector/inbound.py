"""Inbound messages onto timelines: whose it is, which conversation it joins, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from functools import partial
from uuid import UUID

from services.projector import about as about_items
from services.projector import arrived, consents, held
from services.projector.about import Told
from services.projector.arrived import message_id_of
from services.projector.auto_reply import AutoReplies
from services.projector.home import home_of, topic_of
from services.projector.intake import Intake
from services.projector.owners import Owners, keys_of
from services.projector.steps import Steps, steps_of
from services.projector.suggesting import Suggesting, suggesting
from services.projector.targets import Target
from shared.clock import now
from shared.contracts import topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.inbound import Address, InboundMessage, InboundUnreadable
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import customer as customers
from shared.domain import events as e
from shared.domain.resolve import SCORES, Decision
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import Wanted, look_up
from shared.event_store.routing_entries import KEY_BYTES, Entries, Place, fits
from shared.event_store.session import Session
from shared.logs import Log
from shared.values import dataclass

log = Log("projector")
_LOW = (1 << 64) - 1
QUOTES_A_STRANGER = "quotes_a_stranger"
"""Warns of a sender who refers to a message that was never theirs."""
PART = "another part of the same message"
Inbound = InboundMessage | InboundUnreadable | FileFetched | FileUnavailable


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


def intake() -> Intake:
    """Return what the projector does with okno.inbound."""
    return Intake(topics.INBOUND, "projector", receive, give_up)


def receive(session: Session, tx: Transaction, contracts: Sequence[Contract]) -> None:
    """Decide a batch of inbound items in order. Raises UndecodableRecord for a contract of another topic."""
    items = [_checked(contract) for contract in contracts]
    known = look_up(tx, _wanted(items))
    session.foresee(known.conversations())
    owners, alone = Owners(session, tx, known), tx.dialect == "sqlite"
    messages = [item for item in items if isinstance(item, InboundMessage)]
    after = After(steps_of(session, tx), AutoReplies(session, tx, now()), suggesting(owners, messages))
    for item in items:
        if isinstance(item, FileFetched | FileUnavailable):
            arrived.take(session, tx, item)
            continue
        is_known = item.id in session.entries.seen or item.id in known.seen
        if is_known and not _is_quarantined(item.id, session, known):
            continue
        if isinstance(item, InboundMessage) and item.same_as:
            if original := _original(item, session, known):
                id_, conversation_id = original
                session.entries.copies[item.id] = id_
                if is_known:
                    _resolve(session, item, conversation_id)
                continue
            if not alone:
                item = replace(item, same_as=_free(item, session, known))
        if isinstance(item, InboundUnreadable):
            _quarantine(session, item, item.reason)
        elif item.nature == "loop" and (reply := about_items.echoed(session, tx, item)):
            _hear_echo(session, item, reply)
            if is_known:
                _resolve(session, item, reply.place.conversation_id)
        elif item.awaits_call and not held.has_home(session, known, item):
            held.hold(session, tx, known, item)
            _quarantine(session, item, held.WAITS)
        elif not fits(item.sender.address):
            _quarantine(session, item, f"the sender's address is longer than {KEY_BYTES} bytes")
        else:
            _receive(owners, item, after, resolves=is_known)


def give_up(session: Session, contract: Contract, reason: str) -> None:
    """Quarantine an item that the rules above cannot digest; of a file its message tells that it is on its way."""
    item = _checked(contract)
    if isinstance(item, FileFetched | FileUnavailable):
        log.error("file_given_up", inbound_id=item.inbound_id, why=reason)
    else:
        _quarantine(session, item, f"internal error: {reason}")


def _checked(contract: Contract) -> Inbound:
    if not isinstance(contract, Inbound):
        raise UndecodableRecord(f"{type(contract).__name__} does not belong on {topics.INBOUND}")
    return contract


def _wanted(items: Sequence[Inbound]) -> Wanted:
    messages = [item for item in items if isinstance(item, InboundMessage)]
    return Wanted(
        [
            *(item.id for item in items if not isinstance(item, FileFetched | FileUnavailable)),
            *(id_ for m in messages if m.same_as for id_ in (*m.same_as, *m.same_later)),
            *(message_id_of(m) for m in messages if m.part_of or m.call),
        ],
        [key for m in messages for address in (m.sender, *m.vouched, *m.identities) for key in keys_of(address)],
        [external_id for m in messages for external_id in (*m.proves, *m.refers_to)],
        [(m.channel_id, m.thread_key) for m in messages if m.thread_key],
        [topic_of(m) for m in messages if m.topic],
    )


def _is_quarantined(item_id: UUID, session: Session, known: Entries) -> bool:
    """A quarantined item is known without a conversation."""
    return session.entries.seen.get(item_id, known.seen.get(item_id)) is None


def _original(item: InboundMessage, session: Session, known: Entries) -> tuple[UUID, UUID] | None:
    """Return the id under which a copy is known, and its conversation.

    On PostgreSQL two processes decide at once: there a copy also keeps the ids it might have had before, which makes
    a Conflict of them. In one process looking both ways does, and each post writes one row instead of three.
    """
    for id_ in (*item.same_as, *item.same_later):
        if conversation_id := session.entries.seen.get(id_) or known.seen.get(id_):
            return id_, conversation_id
    return None


def _free(item: InboundMessage, session: Session, known: Entries) -> tuple[UUID, ...]:
    """Return the further ids that nobody has: a copy that could not be read keeps its own in the quarantine."""
    ids = dict.fromkeys(id_ for id_ in item.same_as if id_ != item.id)
    return tuple(id_ for id_ in ids if id_ not in session.entries.seen and id_ not in known.seen)


def _hear_echo(session: Session, item: InboundMessage, reply: Target) -> None:
    echo = c.HearEcho(reply.message_id, item.id, item.channel_id, item.external_id, item.known_as)
    session.decide(reply.place.conversation_id, echo, About(item.occurred_at, e.Actor("system"), item.id))


def _resolve(session: Session, item: InboundMessage, conversation_id: UUID) -> None:
    about = About(item.received_at, e.Actor("system"), item.id)
    session.decide_quarantine(item.id, c.ResolveQuarantined(conversation_id), about)


# --- a message --------------------------------------------------------------------------------------------


def _receive(owners: Owners, item: InboundMessage, after: After, *, resolves: bool) -> None:
    session, tx = owners.session, owners.tx
    actor = e.Actor("customer", f"{item.sender.kind}:{item.sender.address}", item.sender.name)
    about = About(item.occurred_at, actor, item.id)
    if item.about is None:
        conversation_id = _receive_message(owners, item, about, _home(owners, item, about), after)
        after.suggests.follow(item, about)
    elif item.about.delivery is not None:
        conversation_id = _receive_notice(owners, item, about)
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


def _receive_message(
    owners: Owners, item: InboundMessage, about: About, home: tuple[Joined, UUID], after: After | None = None
) -> UUID:
    session, tx, (joined, customer_id) = owners.session, owners.tx, home
    if item.vouched:
        item = replace(item, identities=(*item.identities, *_link(owners, item, about)))
    message = _message(item, joined, customer_id, () if tx.dialect == "sqlite" else item.same_as)
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


def _receive_notice(owners: Owners, item: InboundMessage, about: About) -> UUID:
    """A bounce stands where the reply is that came back; of one we know nothing of, it is a message like others."""
    session = owners.session
    notices = about_items.notices(session, owners.tx, item)
    if not notices:
        return _receive_message(owners, item, about, _home(owners, item, about))
    first = notices[0][0].place
    decision = Decision(first.conversation_id, "tells of a reply in this conversation", SCORES["proof"])
    home = (Joined(first.conversation_id, False, decision), first.customer_id)
    _receive_message(owners, item, about, home)
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


def _message(item: InboundMessage, joined: Joined, customer_id: UUID, same_as: tuple[UUID, ...]) -> e.MessageReceived:
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
        same_as,
        item.id if item.part_of else None,
    )


def _notice(item: InboundMessage) -> e.DeliveryNotice | None:
    told = item.about.delivery if item.about else None
    return e.DeliveryNotice(*astuple(told)) if told else None


# --- what nobody understands ------------------------------------------------------------------------------


def _quarantine(session: Session, item: InboundMessage | InboundUnreadable, reason: str) -> None:
    key = item.key if isinstance(item, InboundMessage) else ""
    raw, its_key = e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type), key or item.external_id
    context = tuple(item.context.items())
    event = e.InboundQuarantined(item.id, item.channel_id, item.channel_kind, its_key, reason, raw, context)
    about = About(item.received_at, e.Actor("system"), item.id)
    if session.decide_quarantine(item.id, c.Quarantine(event), about) and item.raw.data is not None:
        session.keep_raw(item.raw.data)
