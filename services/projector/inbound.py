"""Inbound items of a batch, each exactly once: copies are passed over, what nobody understands is quarantined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.projector import about as about_items
from services.projector import arrived, held
from services.projector.arrived import message_id_of
from services.projector.auto_reply import AutoReplies
from services.projector.intake import Intake
from services.projector.messages import After, receive_message
from services.projector.owners import Owners, keys_of
from services.projector.steps import steps_of
from services.projector.suggesting import suggesting
from services.projector.targets import Target
from shared.clock import now
from shared.contracts import topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.inbound import InboundMessage, InboundUnreadable
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.mapper import About
from shared.event_store.routing import Wanted, look_up
from shared.event_store.routing_entries import KEY_BYTES, Entries, fits
from shared.event_store.session import Session
from shared.event_store.topics import topic_of
from shared.logs import Log

log = Log("projector")
Inbound = InboundMessage | InboundUnreadable | FileFetched | FileUnavailable


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
                elif item.raw.data is None:
                    session.entries.copy_files[item.id] = item.raw.sha256
                continue
            item = replace(item, same_as=() if alone and item.same_later else _free(item, session, known))
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
            receive_message(owners, item, after, resolves=is_known)


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

    An item keeps the further ids it is known under. On PostgreSQL two processes decide at once, and that makes a
    Conflict of two copies; in one process, where the ids of later copies can be told, looking both ways does: each
    post writes one row instead of three.
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


# --- what nobody understands ------------------------------------------------------------------------------


def _quarantine(session: Session, item: InboundMessage | InboundUnreadable, reason: str) -> None:
    key = item.key if isinstance(item, InboundMessage) else ""
    raw, its_key = e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type), key or item.external_id
    context = tuple(item.context.items())
    event = e.InboundQuarantined(item.id, item.channel_id, item.channel_kind, its_key, reason, raw, context)
    about = About(item.received_at, e.Actor("system"), item.id)
    if session.decide_quarantine(item.id, c.Quarantine(event), about) and item.raw.data is not None:
        session.keep_raw(item.raw.data)
