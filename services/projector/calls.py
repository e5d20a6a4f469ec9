"""Ends calls of whose end nobody tells: a pure rule says which; a report that comes after all is still heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

from services.projector.steps import plan_call_back
from shared.clock import from_text, now
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.mapper import About, EventUnreadable
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.logs import Log
from shared.read_models.open_calls import OpenCall, open_calls
from shared.said import said

LOOK_SECONDS = 30.0
BATCH = 200
Overdue = Callable[[e.Call, datetime, datetime | None], e.Call | None]
"""(call, now, when we first heard of it) -> the call as it must have ended, None while it may still go on."""
log = Log("projector")


async def end_overdue_calls(
    database: Database, store: EventStore, overdue: Overdue, clock: Callable[[], datetime] = now
) -> None:
    """Look again and again, until cancelled."""
    while True:
        try:
            await end_overdue(database, store, overdue, clock())
        except DatabaseUnavailable as error:
            log.warning("calls_waiting", error=said(error)[:500])
        await asyncio.sleep(LOOK_SECONDS)


async def end_overdue(database: Database, store: EventStore, overdue: Overdue, at: datetime) -> int:
    """End every call that is overdue; return how many."""
    ended, after = 0, ""
    while calls := await database.read(partial(open_calls, after=after, limit=BATCH)):
        for call in calls:
            decide = partial(_decide, call=call, overdue=overdue, at=at)
            with suppress(EventUnreadable):  # it stands among the holes, and is overdue at every look until it can be
                ended += bool((await store.record(decide)).happenings)
        after = calls[-1].message_id
    return ended


def _decide(session: Session, tx: Transaction, call: OpenCall, overdue: Overdue, at: datetime) -> None:
    known = session.fold(call.conversation_id).calls.get(call.id)
    ended = overdue(known, at, from_text(call.seen_at)) if known is not None else None
    if ended is None:
        return
    about, seen = About(at, e.Actor("system")), from_text(call.seen_at)
    for event in session.decide(call.conversation_id, c.EndCall(call.id, ended), about):
        if isinstance(event, e.CallProgressed):
            plan_call_back(session, tx, event, min(event.call.started_at or seen, seen), about)
