"""When customers may be merged, un-merged and suggested: PURE rules over who is merged into whom.

Merges form trees: each customer is merged into at most one other, and the one at the top stands for all below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused

NAMESPACE = UUID("5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0002")
MOST_REASONS = 10
"""Of one suggestion: further ones say nothing new to whoever decides."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Whom a customer is merged into, and by which merge."""

    into_id: UUID
    merge_id: UUID


Into = Callable[[UUID], Merged | None]
"""What a customer is merged into, None for those who are not."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The state of one pair."""

    state: Literal["none", "open", "refused"] = "none"
    pair: tuple[UUID, UUID] | None = None
    reasons: tuple[e.Reason, ...] = ()


def way_up(customer_id: UUID, into: Into) -> Iterator[UUID]:
    """Yield a customer, whom they are merged into, and so on to the one who stands for all."""
    at: UUID | None = customer_id
    while at is not None:
        yield at
        merged = into(at)
        at = merged.into_id if merged else None


def root_of(customer_id: UUID, into: Into) -> UUID:
    """Return the customer who stands for the group of another."""
    *_, root = way_up(customer_id, into)
    return root


def merge(customer_id: UUID, into_id: UUID, into: Into, merge_id: UUID) -> list[e.MergeEvent]:
    """Return the events that merge a customer, with all merged into them, into another one; none when it is so already.

    Raises Refused.
    """
    if customer_id == into_id:
        raise Refused("same_customer", "A customer cannot be merged into themselves")
    known = into(customer_id)
    if known is not None and known.into_id == into_id:
        return []
    if known is not None:
        raise Refused("already_merged", f"This customer is merged already: merge {root_of(customer_id, into)} instead")
    root = root_of(into_id, into)
    if root == customer_id:
        raise Refused("same_group", "The two are merged already: the other one is part of this customer")
    return [
        e.CustomersMerged(customer_id, into_id, root, merge_id),
        e.MemberJoined(root, customer_id, into_id, merge_id),
    ]


def unmerge(group_of: UUID, customer_id: UUID, into: Into) -> list[e.MergeEvent]:
    """Return the events that take a customer out of the group that `group_of` is in. Raises Refused."""
    root = root_of(customer_id, into)
    if root_of(group_of, into) != root:
        raise Refused("not_merged", "The two are not merged")
    merged = into(customer_id)
    if merged is None:
        text = "This customer is not merged into another one: un-merge those who are merged into them"
        raise Refused("not_merged", text)
    return [
        e.CustomerUnmerged(customer_id, merged.into_id, root, merged.merge_id),
        e.MemberLeft(root, customer_id, merged.into_id, merged.merge_id),
    ]


# --- suggestions ------------------------------------------------------------------------------------------


def suggestion_id(one: UUID, other: UUID) -> UUID:
    """Return the id of a pair, whichever of the two is named first."""
    first, second = sorted((one, other), key=lambda id_: id_.hex)
    return uuid5(NAMESPACE, f"{first}/{second}")


def suggest(one: UUID, other: UUID, reason: e.Reason, state: Suggestion) -> list[e.MergeSuggested]:
    """Return the event that suggests a pair for a reason; none when it is refused or known for that reason."""
    known = {(known.evidence, known.kind, known.address) for known in state.reasons}
    is_new = (reason.evidence, reason.kind, reason.address) not in known
    if one == other or state.state == "refused" or not is_new or len(state.reasons) >= MOST_REASONS:
        return []
    return [e.MergeSuggested(suggestion_id(one, other), *(state.pair or (one, other)), (reason,))]


def refuse(state: Suggestion) -> list[e.MergeRefused]:
    """Return the event that refuses a pair for good; none when it is refused already. Raises NoSuchThing."""
    one, other = suggested_pair(state)
    return [] if state.state == "refused" else [e.MergeRefused(suggestion_id(one, other), one, other)]


def suggested_pair(state: Suggestion) -> tuple[UUID, UUID]:
    """Return the two customers of a suggestion. Raises NoSuchThing."""
    if state.pair is None:
        raise NoSuchThing("no_such_suggestion", "There is no such suggestion")
    return state.pair


def suggestion_of(past: Sequence[object]) -> Suggestion:
    """Return the state after the events of a pair's stream."""
    state = Suggestion()
    for event in past:
        match event:
            case e.MergeSuggested():
                pair = (event.customer_id, event.other_id)
                state = Suggestion(
                    "open" if state.state == "none" else state.state, pair, state.reasons + event.reasons
                )
            case e.MergeRefused():
                state = Suggestion("refused", state.pair, state.reasons)
    return state
