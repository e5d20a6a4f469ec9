"""What happens to a customer's addresses. Only ever added to."""

from __future__ import annotations

from uuid import UUID

from shared.domain.events_values import Address
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class CustomerRegistered:
    """Somebody wrote or called from an address nobody had used before."""

    customer_id: UUID
    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class IdentityLinked:
    """A further address of a customer, for which a channel vouches: what comes from it is theirs from now on."""

    customer_id: UUID
    address: Address
