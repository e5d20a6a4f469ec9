"""A telephone call as its reports tell of it: the same call in whatever order, and however often, they come.

`merge` is the join of a semilattice: what is known only grows, and each fact has one deterministic winner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from shared.domain.events import Call, Leg

LEG_LIMIT = 50
"""Legs of one call that are kept; more are a loop or an attack."""
RINGING_LIMIT = timedelta(minutes=10)
TALKING_LIMIT = timedelta(hours=4)
SETTLING_LIMIT = timedelta(minutes=5)
"""Every leg has ended: the report of the end itself should follow within seconds."""

T = TypeVar("T")
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_RANKS: tuple[tuple[str, bool], ...] = (
    ("ringing", True),
    ("answered", True),
    ("missed", False),
    ("finished", False),
    ("failed", True),
    ("missed", True),
    ("finished", True),
)
"""A call's states with `reported`, each overruling those before it: a group rings on after one missed it."""
_RANK = {state: rank for rank, state in enumerate(_RANKS)}
_LEG_RANK = {"ringing": 0, "consulting": 1, "answered": 2, "on_hold": 3, "ended": 4}


# --- what is known ----------------------------------------------------------------------------------------


def merge(known: Call, observed: Call) -> Call:
    """Return what both tell. Commutative, associative and idempotent."""
    foremost = max(known, observed, key=lambda call: _RANK[call.state, call.reported])
    merged = Call(
        state=foremost.state,
        reported=foremost.reported,
        direction=max(known.direction, observed.direction),
        from_=_best_number(known.from_, observed.from_),
        to=_best_number(known.to, observed.to),
        answered_by=max(known.answered_by, observed.answered_by),
        waiting_seconds=_either(max, known.waiting_seconds, observed.waiting_seconds),
        talking_seconds=_either(max, known.talking_seconds, observed.talking_seconds),
        recording=max(known.recording, observed.recording),
        started_at=_either(min, known.started_at, observed.started_at),
        answered_at=_either(min, known.answered_at, observed.answered_at),
        ended_at=_either(max, known.ended_at, observed.ended_at),
        legs=_merged_legs((*known.legs, *observed.legs)),
    )
    return replace(merged, state="finished") if _was_thought_missed(merged) else merged


def overdue(call: Call, now: datetime, seen_at: datetime | None = None) -> Call | None:
    """Return the call as "ended, not reported" when the report of its end is long overdue, else None.

    `seen_at`: when we first heard of it, for providers that tell no times, or wrong ones: a clock that is ahead of ours
    would keep the call for ever, one that is behind would end it while it rings. A report that comes after all
    overrules the result in `merge`.
    """
    last = max((at for at in (*_moments(call), seen_at) if at is not None and at <= now), default=None)
    if is_over(call) or last is None or now - last < _limit(call):
        return None
    return replace(call, state="finished" if was_answered(call) else "missed", reported=False)


# --- what follows from it ---------------------------------------------------------------------------------


def is_over(call: Call) -> bool:
    """Return whether the call has ended, reported or not."""
    return call.state not in ("ringing", "answered")


def was_answered(call: Call) -> bool:
    """Return whether anybody took the call."""
    told = call.state in ("answered", "finished") or call.answered_at is not None
    return told or any(leg.answered for leg in call.legs)


def answered_by(call: Call) -> str:
    """Return who took the call, the last one after a transfer; empty when not known."""
    return call.answered_by or _to_of(_answered(call.legs))


def transferred_to(call: Call) -> str:
    """Return to whom the call was transferred last; empty when it was not."""
    return _to_of([leg for leg in _answered(call.legs) if leg.transferred_from])


def on_hold(call: Call) -> bool:
    """Return whether the client is waiting in the line right now."""
    states = {leg.state for leg in call.legs}
    return not is_over(call) and "on_hold" in states and "answered" not in states


def waiting_seconds(call: Call) -> int | None:
    """Return how long the client waited for an answer: as told, else by the clock."""
    if call.waiting_seconds is not None:
        return call.waiting_seconds
    until = answered_at(call) or (call.ended_at if is_over(call) and not was_answered(call) else None)
    return _seconds(call.started_at, until)


def talking_seconds(call: Call) -> int | None:
    """Return how long was talked: as told, else by the clock."""
    if call.talking_seconds is not None:
        return call.talking_seconds
    return _seconds(answered_at(call), call.ended_at) if is_over(call) else None


def answered_at(call: Call) -> datetime | None:
    """Return when the call was taken first."""
    return min((at for at in (call.answered_at, *(leg.answered_at for leg in call.legs)) if at), default=None)


# --- merging ----------------------------------------------------------------------------------------------


def _either(choose: Callable[[T, T], T], one: T | None, other: T | None) -> T | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _best_number(one: str, other: str) -> str:
    """A number in E.164 says more than a short or internal one."""
    return max(one, other, key=lambda number: (number.startswith("+"), number))


def _merged_legs(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """The least ids are kept: a leg that is kept in the end is kept at every step."""
    merged: dict[str, Leg] = {}
    for leg in legs:
        merged[leg.id] = _merged_leg(merged[leg.id], leg) if leg.id in merged else leg
    return tuple(merged[id_] for id_ in sorted(merged)[:LEG_LIMIT])


def _merged_leg(one: Leg, other: Leg) -> Leg:
    last = max(one, other, key=_recency)
    return Leg(
        id=one.id,
        to=_best_number(one.to, other.to),
        state=last.state,
        sequence=last.sequence,
        at=last.at,
        answered=one.answered or other.answered,
        started_at=_either(min, one.started_at, other.started_at),
        answered_at=_either(min, one.answered_at, other.answered_at),
        ended_at=_either(max, one.ended_at, other.ended_at),
        transferred_from=max(one.transferred_from, other.transferred_from),
    )


def _recency(leg: Leg) -> tuple[bool, int, datetime, int]:
    """The provider's own numbering comes before its clock: several reports may fall into one second."""
    return leg.state == "ended", leg.sequence, leg.at or _BEGINNING, _LEG_RANK[leg.state]


def _was_thought_missed(call: Call) -> bool:
    """An answer that is reported after we gave the call up."""
    return (call.state, call.reported) == ("missed", False) and was_answered(call)


# --- the rest ---------------------------------------------------------------------------------------------


def _moments(call: Call) -> Iterable[datetime | None]:
    yield from (call.started_at, call.answered_at, call.ended_at)
    for leg in call.legs:
        yield from (leg.at, leg.started_at, leg.answered_at, leg.ended_at)


def _limit(call: Call) -> timedelta:
    if call.legs and all(leg.state == "ended" for leg in call.legs):
        return SETTLING_LIMIT
    return TALKING_LIMIT if was_answered(call) else RINGING_LIMIT


def _answered(legs: Iterable[Leg]) -> list[Leg]:
    return [leg for leg in legs if leg.answered]


def _to_of(legs: list[Leg]) -> str:
    """The last one who took it."""
    order = sorted(legs, key=lambda leg: (leg.answered_at or leg.started_at or _BEGINNING, leg.sequence, leg.id))
    return order[-1].to if order else ""


def _seconds(begin: datetime | None, end: datetime | None) -> int | None:
    return max(0, round((end - begin).total_seconds())) if begin and end else None
