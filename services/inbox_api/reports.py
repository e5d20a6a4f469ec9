"""GET /reports/ledger: is everything that came still here? For admins and analysts; `okno audit` compares more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import moments
from services.inbox_api.context import Call, answer
from shared.audit.channels import rows_of
from shared.audit.walk import How, Span, audit
from shared.clock import now, to_text
from shared.event_store import chain

UNTOLD = timedelta(hours=24)
REST = 3.0
"""Idle so many times as long as each step takes: it shares a process with those who serve clients."""
ROLES = ("admin", "analyst")
_one_at_a_time = asyncio.Semaphore(1)


async def ledger(call: Call) -> Response:
    """Of the last 24 hours unless `since` says otherwise. Files are looked for, not read."""
    if call.operator.role not in ROLES:
        raise HTTPException(403, "the ledger is for admins and analysts")
    at = now()
    since, until = moments.time(call, "since") or at - UNTOLD, moments.time(call, "until")
    if until is not None and since >= until:
        raise HTTPException(422, "since must be before until")
    if _one_at_a_time.locked():
        raise HTTPException(503, "somebody else is asking for the ledger", {"Retry-After": "5"})
    context = call.context
    async with _one_at_a_time:
        found = await audit(context.database, context.blobs, Span(since, until), at, How(read_bytes=False, rest=REST))
    link, unlinked = await context.database.read(lambda tx: (chain.last_link(tx), chain.unlinked(tx)))
    rows = await context.database.read(partial(rows_of, ledger=found))
    return answer(
        {
            "since": to_text(since),
            "until": to_text(until) if until else None,
            "complete": found.complete,
            "events": found.events,
            "items": rows,
            "next": None,
            "holes": [hole.shown() for hole in found.holes],
            "holes_by_kind": dict(found.kinds),
            "chain": {"until": link.until if link.number else 0, "hash": link.hash.hex(), "unlinked": unlinked},
        }
    )
