"""The hash chain over the log: its head, when it was last compared with the log, and comparing it now."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.reports import ROLES
from shared.audit.chain_memory import verify_and_remember
from shared.database.protocol import Transaction
from shared.event_store import chain
from shared.event_store.chain_verify import Head
from shared.registry.verifications import Verifications

_one_at_a_time = asyncio.Semaphore(1)


async def state(call: Call) -> Response:
    """GET /reports/chain: the head to be noted elsewhere, and how the last comparison ended; null when never."""
    if call.operator.role not in ROLES:
        raise HTTPException(403, "the ledger is for admins and analysts")
    return answer(await _shown(call))


async def _shown(call: Call) -> dict[str, object]:
    shown = await call.context.database.read(_state)
    last = await Verifications(call.context.database).last()
    return {**shown, "last_verified": {**asdict(last), "difference": last.difference or None} if last else None}


async def check(call: Call) -> Response:
    """POST /reports/chain/verify: compare the log with its chain, which reads all of it: one at a time, for admins."""
    call.only_admins()
    if _one_at_a_time.locked():
        raise HTTPException(503, "the log is being verified for somebody else", {"Retry-After": "30"})
    async with _one_at_a_time:
        await verify_and_remember(call.context.database, call.operator.name)
    return answer(await _shown(call))


def _state(tx: Transaction) -> dict[str, object]:
    link = chain.last_link(tx)
    head = Head(link.until if link.number else 0, link.hash)
    return {"head": str(head), "linked_at": link.linked_at or None, "unlinked": chain.unlinked(tx)}
