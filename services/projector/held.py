"""Reports of a call that do not tell whose call it is: held, and in the quarantine to be seen, until another one does.

So no customer is made of a call's id, in whatever order a provider tells of the call. That a report was held and that
its call began meanwhile are a Conflict: both write the call's own id into the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from uuid import UUID

from services.projector.arrived import message_id_of
from services.projector.held_files import held_in, held_stream, take_held
from services.projector.home import home_of
from services.projector.steps import Steps
from shared.contracts.inbound import Call, InboundMessage
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import About, Happening
from shared.event_store.routing_entries import Entries
from shared.event_store.session import Session

WAITS = "It tells of a call without saying whose: it waits for the rest of the call"
BECAUSE = "another report of the same call"


def has_home(session: Session, known: Entries, item: InboundMessage) -> bool:
    """Return whether the call of a report is in a conversation already."""
    return home_of(session, known, item, None)[1] is not None


def is_awaited(session: Session, known: Entries, message_id: UUID) -> bool:
    """Return whether reports of a call are held."""
    seen = session.entries.seen if message_id in session.entries.seen else known.seen
    return seen.get(message_id, message_id) is None


def hold(session: Session, tx: Transaction, known: Entries, item: InboundMessage) -> None:
    """Keep what a report tells; the same one again is kept once."""
    message_id = message_id_of(item)
    held = held_in(session, tx, message_id)
    if item.call is None or any(isinstance(event, e.ReportHeld) and event.item_id == item.id for event in held):
        return
    files = tuple(e.RemoteFile(f.ref, f.name, f.media_type, f.size, f.content_id) for f in item.remote_files)
    about = About(item.occurred_at, e.Actor("system"), item.id)
    report = e.ReportHeld(item.id, message_id, stored(item.call), files)
    session.append(held_stream(message_id), len(held) + 1, Happening(report, about))
    if message_id not in known.seen:
        session.entries.seen.setdefault(message_id, None)


def let_go(session: Session, tx: Transaction, message: e.MessageReceived, steps: Steps | None) -> None:
    """Add what is held of a call to the call, which a report with the client's number has just brought home."""
    session.resolved.append(message.message_id)
    for report, about in _held(session, tx, message.message_id):
        told = replace(message, call=report.call)
        decided = session.decide(message.conversation_id, c.ReceiveMessage(told, BECAUSE), about)
        if report.files:
            announced = c.AnnounceFiles(message.message_id, report.item_id, report.files, once=True)
            session.decide(message.conversation_id, announced, about)
            take_held(session, tx, message.conversation_id, report.item_id, about)
        if steps is not None:
            steps.follow(told, decided, about)
        session.decide_quarantine(report.item_id, c.ResolveQuarantined(message.conversation_id), about)


def _held(session: Session, tx: Transaction, message_id: UUID) -> Sequence[tuple[e.ReportHeld, About]]:
    stream_id = held_stream(message_id)
    past = [(r.event, About(r.occurred_at, r.actor, r.cause)) for r in read_stream(tx, stream_id)]
    past += [(h.event, h.about) for stream, _, h in session.appended if stream == stream_id]
    return [(event, about) for event, about in past if isinstance(event, e.ReportHeld)]


def stored(call: Call) -> e.Call:
    """Return a call as it is kept in the log."""
    facts = (call.state, call.direction, call.from_, call.to, call.answered_by, call.waiting_seconds)
    times = (call.started_at, call.answered_at, call.ended_at)
    legs = tuple(e.Leg(*astuple(leg)) for leg in call.legs)
    return e.Call(*facts, call.talking_seconds, call.recording, *times, legs)
