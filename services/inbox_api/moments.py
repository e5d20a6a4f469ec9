"""What a request asks of time: `as_of` a moment, `by` what was known or what had happened then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args

from starlette.exceptions import HTTPException

from services.inbox_api.context import Call, time_of
from shared.clock import from_text
from shared.read_models.moment import By


@dataclass(frozen=True, slots=True)
class AsOf:
    """A past moment; `by` known: as the operator saw it, happened: by the clocks of the channels."""

    at: datetime
    by: By


def as_of(call: Call) -> AsOf | None:
    """Return the past moment that is asked for, None for the present. Raises 422."""
    at = time(call, "as_of")
    whose = by(call)
    return AsOf(at, whose) if at else None


def by(call: Call) -> By:
    """Return by which clock. Raises 422."""
    text = call.request.query_params.get("by") or "known"
    if text not in get_args(By):
        raise HTTPException(422, f"by must be one of {', '.join(get_args(By))}")
    return cast("By", text)


def time(call: Call, name: str) -> datetime | None:
    """Return a time from the query. Raises 422."""
    text = call.request.query_params.get(name)
    return from_text(time_of(text, name)) if text else None
