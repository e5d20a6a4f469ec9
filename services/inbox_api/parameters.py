"""What the parameters of queries mean, for the OpenAPI document, where their names do not say it all."""

from __future__ import annotations

from typing import Any, get_args

from shared.read_models.moment import By

_TIME = {"type": "string", "format": "date-time"}
MEANINGS: dict[str, dict[str, Any]] = {
    "as_of": {
        "description": "A past moment, in UTC where it names no zone: the answer is what it was then. `by` says in"
        " which meaning. Names of channels are those of today.",
        "schema": _TIME,
    },
    "by": {
        "description": "Which clock is meant. known (the default): what we had recorded by then, exactly what an"
        " operator saw. happened: what had happened by then, by the clocks of the channels, also if we came to know of"
        " it later. A timeline's order, since and until go by the same clock.",
        "schema": {"type": "string", "enum": list(get_args(By)), "default": "known"},
    },
    "assignee_id": {
        "description": "Whom a conversation is assigned to, also who is locked by now. Of the present only.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "q": {
        "description": "Words that all must be there, the last one or its beginning.",
        "schema": {"type": "string"},
    },
    "kind": {
        "description": "Kinds of entries, with commas; a kind stands also for those it is the beginning of: step,"
        " delivery, action.",
        "schema": {"type": "string"},
    },
    "channel": {"description": "Ids of channels or kinds of channels, with commas.", "schema": {"type": "string"}},
    "author": {
        "description": "customer, operator, system, or ids of operators, with commas.",
        "schema": {"type": "string"},
    },
    "since": {"description": "From this moment on, by the clock of `by`.", "schema": _TIME},
    "until": {"description": "Up to this moment and with it, by the clock of `by`.", "schema": _TIME},
}
