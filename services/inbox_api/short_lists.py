"""Lists that are at hand: whole, or page by page. A cursor names a place in the order: who stood there may be gone."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.channel_names import Body
from services.inbox_api.context import LARGEST_PAGE, Call, answer, id_of, is_position
from shared.clock import from_text
from shared.read_models.moment import microseconds

Place = tuple[int, str]
"""A number that orders a list, and the id of the item where others may have the same number."""


def since(time: str, id_: str) -> Place:
    """Return the place of what is there since a time."""
    return microseconds(from_text(time)), id_


def short(call: Call, items: Iterable[tuple[Place, Body]], *, newest_first: bool = False) -> Response:
    """Return items in the order of their places, as ?limit= and ?cursor= ask. Raises 422."""
    limit, after = call.number("limit", None, 1, LARGEST_PAGE), _after(call)
    rest = sorted(items, key=itemgetter(0), reverse=newest_first)
    if after is not None:
        rest = [each for each in rest if (each[0] < after if newest_first else each[0] > after)]
    page = rest[:limit]
    following = _cursor(page[-1][0]) if len(page) < len(rest) else None
    return answer({"items": [item for _, item in page], "next": following})


def _cursor(place: Place) -> str:
    number, id_ = place
    return f"{number}_{id_}" if id_ else str(number)


def _after(call: Call) -> Place | None:
    text = call.request.query_params.get("cursor")
    if not text:
        return None
    number, _, id_ = text.partition("_")
    if not is_position(number):
        raise HTTPException(422, "cursor must be the `next` of an earlier page")
    return int(number), str(id_of(id_, "the end of cursor")) if id_ else ""
