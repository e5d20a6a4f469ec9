"""GET /api/v1/events?after=POSITION: the log itself, for programs that keep their own place in it.

The header Okno-Position says how far the answer goes, with what the filters left out: ask after that the next time.
"""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import LARGEST_NUMBER, Call
from services.inbox_api.selection import Page, Selection, page
from services.inbox_api.session import signed_in
from shared.domain.events import Recorded, RecordingHeard
from shared.event_store.shown import UnknownType, shown, stored_names
from shared.registry.operators import Operator

LONGEST_WAIT_SECONDS = 60


async def list_(call: Call) -> Response:
    """GET /events?after=&type=NAME&type=NAME&customer_id=&limit=&cursor=&wait=SECONDS.

    `cursor` goes before `after`: the pages can be followed as those of every list. `next` is null at the log's end
    only: a page may be short, or empty, and still have a next one. `wait` holds the answer back until there is
    something to tell; nobody waits for a head that has nothing to tell it in. Raises 401 for who was locked meanwhile.
    """
    after = call.cursor() or call.number("after", 0, 0, LARGEST_NUMBER) or 0
    wait = call.number("wait", 0, 0, LONGEST_WAIT_SECONDS) or 0
    found = await _found(call, _wanted(call), after, 0 if call.request.method == "HEAD" else wait)
    operator = await signed_in(call.request, call.context) if wait else call.operator
    events = [each for each in found.events if may_see(operator, each)]
    body = {"items": [shown(each) for each in events], "next": str(found.until) if found.more else None}
    headers = {"Okno-Position": str(found.until)}
    return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")


def may_see(operator: Operator, recorded: Recorded) -> bool:
    """Who has listened to a recording is for admins."""
    return operator.role == "admin" or not isinstance(recorded.event, RecordingHeard)


async def _found(call: Call, wanted: Selection, after: int, wait: int) -> Page:
    """Return the next page that has something, or whatever there is once the waiting is over."""
    views, loop, limit = call.context.views, asyncio.get_running_loop(), call.limit()
    deadline = loop.time() + wait
    while True:
        found = await call.context.database.read(partial(page, wanted=wanted, after=after, limit=limit))
        left = deadline - loop.time()
        if found.events or left <= 0 or views.ended or await call.request.is_disconnected():
            return found
        if not found.more:
            await views.reach(found.until + 1, left, lambda: views.ended)
        after = found.until


def _wanted(call: Call) -> Selection:
    customer_id = call.query_id("customer_id")
    try:
        return Selection(stored_names(call.request.query_params.getlist("type")), customer_id)
    except UnknownType as error:
        raise HTTPException(422, str(error)) from None
