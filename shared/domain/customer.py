"""The person behind the addresses: a customer comes into being with the first message from a new address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.domain.events import Address, CustomerRegistered, IdentityLinked
from shared.quick import named_uuid, ordered_uuid

NAMESPACE = UUID("5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0001")


@dataclass(frozen=True, slots=True)
class Customer:
    """The state that decisions need."""

    id: UUID | None = None


def customer_id_for(address: Address) -> UUID:
    """Return the id of the customer who is imported from this address: two processes find the same one."""
    return named_uuid(NAMESPACE, f"{address.kind}:{address.address}")


def customer_id_at(at: datetime, address: Address) -> UUID:
    """Return the id of the customer who first writes from this address, by what was received then.

    It begins with the time, so that what is new lies together in every index: among ids of no order each message has a
    page of its own in each of them, written to the disk for its sake alone. Two processes find the same one. Its first
    half alone tells customers apart as a rule: their conversations are found by it (`services/projector/reached.py`).
    """
    return ordered_uuid(at, NAMESPACE, f"{address.kind}:{address.address}")


def register(customer_id: UUID, address: Address, state: Customer) -> list[CustomerRegistered]:
    """Return the event that registers a customer; none when there already is one."""
    return [] if state.id else [CustomerRegistered(customer_id, address.name, address)]


def link(customer_id: UUID, address: Address, owner: UUID | None) -> list[IdentityLinked]:
    """Return the event that gives a customer a further address; none when somebody has it already."""
    return [] if owner else [IdentityLinked(customer_id, address)]
