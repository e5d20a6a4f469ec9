"""GET /api/v1/events?after=POSITION: the log itself, for programs that keep their own place in it."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.responses import Response

from services.inbox_api.context import Call
from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.event_store.log import read_log


async def list_(call: Call) -> Response:
    limit, after = call.limit(), call.number("after", 0, 0, 2**62) or 0
    events = await call.context.database.read(partial(_after, after=after, limit=limit))
    items = [shown(recorded) for recorded in events]
    following = str(events[-1].position) if len(events) == limit else None
    return Response(msgspec.json.encode({"items": items, "next": following}), media_type="application/json")


def shown(recorded: Recorded) -> dict[str, object]:
    """Return an event as the API and exports show it."""
    return {
        "position": recorded.position,
        "type": type(recorded.event).__name__,
        "stream_id": recorded.stream_id,
        "version": recorded.version,
        "recorded_at": to_text(recorded.recorded_at),
        "occurred_at": to_text(recorded.occurred_at),
        "cause": recorded.cause,
        "actor": recorded.actor,
        "data": recorded.event,
    }


def _after(tx: Transaction, after: int, limit: int) -> list[Recorded]:
    return read_log(tx, after, limit)
