"""Inbound messages onto timelines: whose it is, which conversation it joins, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from services.projector import about as about_items
from services.projector.about import Told
from services.projector.intake import Intake
from shared.contracts import topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.contracts.inbound import InboundMessage, InboundUnreadable, inbound_id
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import customer as customers
from shared.domain import events as e
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import KEY_BYTES, Entries, Place, Wanted, fits, look_up
from shared.event_store.session import Session

_LOW = (1 << 64) - 1
Inbound = InboundMessage | InboundUnreadable


@dataclass(frozen=True, slots=True)
class Joined:
    """Where a message goes and why."""

    conversation_id: UUID
    is_new: bool
    reason: str


def intake() -> Intake:
    """Return what the projector does with okno.inbound."""
    return Intake(topics.INBOUND, "projector", receive, give_up)


def receive(session: Session, tx: Transaction, contracts: Sequence[Contract]) -> None:
    """Decide a batch of inbound items in order. Raises UndecodableRecord for a contract of another topic."""
    items = [_checked(contract) for contract in contracts]
    known = look_up(tx, _wanted(items))
    for item in items:
        is_known = item.id in session.entries.seen or item.id in known.seen
        if is_known and not _is_quarantined(item.id, session, known):
            continue
        if isinstance(item, InboundUnreadable):
            _quarantine(session, item, item.reason)
        elif not fits(item.sender.address):
            _quarantine(session, item, f"the sender's address is longer than {KEY_BYTES} bytes")
        else:
            _receive(session, tx, known, item, resolves=is_known)


def give_up(session: Session, contract: Contract, reason: str) -> None:
    """Quarantine an item that the rules above cannot digest."""
    _quarantine(session, _checked(contract), f"internal error: {reason}")


def _checked(contract: Contract) -> Inbound:
    if not isinstance(contract, InboundMessage | InboundUnreadable):
        raise UndecodableRecord(f"{type(contract).__name__} does not belong on {topics.INBOUND}")
    return contract


def _wanted(items: Sequence[Inbound]) -> Wanted:
    messages = [item for item in items if isinstance(item, InboundMessage)]
    return Wanted(
        [item.id for item in items],
        [(m.sender.kind, m.sender.address) for m in messages],
        [external_id for m in messages for external_id in m.refers_to],
        [(m.channel_id, m.thread_key) for m in messages if m.thread_key],
    )


def _is_quarantined(item_id: UUID, session: Session, known: Entries) -> bool:
    """A quarantined item is known without a conversation."""
    return session.entries.seen.get(item_id, known.seen.get(item_id)) is None


# --- a message --------------------------------------------------------------------------------------------


def _receive(session: Session, tx: Transaction, known: Entries, item: InboundMessage, *, resolves: bool) -> None:
    actor = e.Actor("customer", f"{item.sender.kind}:{item.sender.address}", item.sender.name)
    about = About(item.occurred_at, actor, item.id)
    before = len(session.appended)
    if item.about is None:
        conversation_id = _receive_message(session, item, about, _home(session, known, item, about))
    elif item.about.delivery is not None:
        conversation_id = _receive_notice(session, tx, known, item, about)
    else:
        home = partial(_place_at_home, session, known, item, about)
        conversation_id = Told(session, tx, item, about, home).tell()
    if item.raw.data is not None and len(session.appended) > before:
        session.keep_raw(item.raw.data)
    if resolves:
        session.decide_quarantine(item.id, c.ResolveQuarantined(conversation_id), about)


def _receive_message(session: Session, item: InboundMessage, about: About, home: tuple[Joined, UUID]) -> UUID:
    joined, customer_id = home
    command = c.ReceiveMessage(_message(item, joined, customer_id), joined.reason)
    session.decide(joined.conversation_id, command, about, is_new=joined.is_new)
    return joined.conversation_id


def _receive_notice(session: Session, tx: Transaction, known: Entries, item: InboundMessage, about: About) -> UUID:
    """A bounce stands where the reply is that came back; of one we know nothing of, it is a message like others."""
    notices = about_items.notices(session, tx, item)
    if not notices:
        return _receive_message(session, item, about, _home(session, known, item, about))
    first = notices[0][0].place
    home = (Joined(first.conversation_id, False, "tells of a reply in this conversation"), first.customer_id)
    _receive_message(session, item, about, home)
    for target, command in notices:
        session.decide(target.place.conversation_id, command, about)
    return first.conversation_id


def _home(session: Session, known: Entries, item: InboundMessage, about: About) -> tuple[Joined, UUID]:
    """Return the conversation an item joins and whose it is."""
    customer_id = _customer(session, known, item, about)
    return _join(session, known, item, customer_id), customer_id


def _place_at_home(session: Session, known: Entries, item: InboundMessage, about: About) -> Place:
    joined, customer_id = _home(session, known, item, about)
    return Place(joined.conversation_id, customer_id)


def _customer(session: Session, known: Entries, item: InboundMessage, about: About) -> UUID:
    """Return whose message this is; a new address makes a new customer."""
    key = (item.sender.kind, item.sender.address)
    found = session.entries.addresses.get(key) or known.addresses.get(key)
    if found is not None:
        return found
    address = e.Address(item.sender.kind, item.sender.address, item.sender.name)
    customer_id = customers.customer_id_for(address)
    for event in customers.register(customer_id, address, customers.Customer()):
        session.append(customer_id, 1, Happening(event, about))
    return customer_id


def _join(session: Session, known: Entries, item: InboundMessage, customer_id: UUID) -> Joined:
    """Find the conversation: an answer to a message of theirs, the provider's thread, or a new one."""
    quotes_a_stranger = False
    for reference in item.refers_to:
        for entries in (session.entries, known):
            for _, answered in entries.external.get(reference, ()):
                if answered.customer_id == customer_id:
                    return Joined(answered.conversation_id, False, f"answers {reference}")
                quotes_a_stranger = True
    if item.thread_key and (place := _thread(session, known, item)) and place.customer_id == customer_id:
        return Joined(place.conversation_id, False, "same thread")
    reason = "quotes a message of another customer" if quotes_a_stranger else "first message of a thread"
    return Joined(conversation_id_for(customer_id, _message_id(item)), True, reason)


def conversation_id_for(customer_id: UUID, message_id: UUID) -> UUID:
    """Return the id of the conversation that a message opens: the same in every process.

    It begins like the customer's: what is written together then lies together in every index (each page that a
    batch touches is written to disk, so scattered ids cost many times as much).
    """
    return UUID(int=(customer_id.int & ~_LOW) | (message_id.int & _LOW))


def _thread(session: Session, known: Entries, item: InboundMessage) -> Place | None:
    key = (item.channel_id, item.thread_key)
    return session.entries.threads.get(key) or known.threads.get(key)


def _message_id(item: InboundMessage) -> UUID:
    """A call is one message however many webhooks tell of it."""
    return item.id if item.call is None else inbound_id(item.channel_id, item.external_id)


def _message(item: InboundMessage, joined: Joined, customer_id: UUID) -> e.MessageReceived:
    call = item.call
    return e.MessageReceived(
        joined.conversation_id,
        customer_id,
        _message_id(item),
        item.channel_id,
        item.channel_kind,
        item.external_id,
        item.kind,
        item.direction,
        e.Address(item.sender.kind, item.sender.address, item.sender.name),
        e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type),
        joined.reason,
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
        e.Call(
            call.state,
            call.direction,
            call.from_,
            call.to,
            call.answered_by,
            call.waiting_seconds,
            call.talking_seconds,
            call.recording,
        )
        if call
        else None,
        tuple(e.File(f.sha256, f.size, f.name, f.media_type, f.content_id) for f in item.files),
        tuple(e.Address(a.kind, a.address, a.name) for a in item.identities),
        item.nature,
        item.warnings,
        _notice(item),
    )


def _notice(item: InboundMessage) -> e.DeliveryNotice | None:
    told = item.about.delivery if item.about else None
    return e.DeliveryNotice(told.external_ids, told.state, told.recipient, told.code, told.error) if told else None


# --- what nobody understands ------------------------------------------------------------------------------


def _quarantine(session: Session, item: Inbound, reason: str) -> None:
    context = tuple(item.context.items()) if isinstance(item, InboundUnreadable) else ()
    raw = e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type)
    event = e.InboundQuarantined(item.id, item.channel_id, item.channel_kind, item.external_id, reason, raw, context)
    about = About(item.received_at, e.Actor("system"), item.id)
    if session.decide_quarantine(item.id, c.Quarantine(event), about) and item.raw.data is not None:
        session.keep_raw(item.raw.data)
