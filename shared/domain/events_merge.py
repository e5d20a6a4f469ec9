"""What is said of customers being one person. A merge joins what is shown; no event or row changes its customer.

Each of the two stands in the stream of whoever goes with another and, from the other side, in that of the customer
who stands for all: so every change of a group meets every other one there, and the second is decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two customers may be one: an address that one gave (claimed) or a channel vouched for, known of the other.

    `customer_id` is who gave it, in the message `message_id`; both: both gave it and it is nobody's own.
    """

    evidence: Literal["claimed", "vouched", "both"]
    kind: str
    address: str
    customer_id: UUID
    message_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CustomersMerged:
    """A customer is shown together with `into_id` from now on, under the name of `root_id`, who stands for all."""

    customer_id: UUID
    into_id: UUID
    root_id: UUID
    merge_id: UUID


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """The same, told in the stream of the customer who stands for all."""

    customer_id: UUID
    member_id: UUID
    into_id: UUID
    merge_id: UUID


@dataclass(frozen=True, slots=True)
class CustomerUnmerged:
    """A customer, with all who were merged into them, is shown alone again: as if `merge_id` had never happened."""

    customer_id: UUID
    from_id: UUID
    root_id: UUID
    merge_id: UUID


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """The same, told in the stream of the customer who stood for all."""

    customer_id: UUID
    member_id: UUID
    from_id: UUID
    merge_id: UUID


@dataclass(frozen=True, slots=True)
class MergeSuggested:
    """Two customers may be one person: an operator decides. Further reasons for a pair come as further events."""

    suggestion_id: UUID
    customer_id: UUID
    other_id: UUID
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class MergeRefused:
    """An operator says that these two are not one person: they are never suggested again."""

    suggestion_id: UUID
    customer_id: UUID
    other_id: UUID


MergeEvent = CustomersMerged | MemberJoined | CustomerUnmerged | MemberLeft | MergeSuggested | MergeRefused
