"""Whose an address is: found under every spelling it may have been stored by, else registered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from shared.contracts.inbound import Address
from shared.database.protocol import Transaction
from shared.domain import customer as customers
from shared.domain import events as e
from shared.domain.identity import REMEMBERED, spellings, without_tag
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import Wanted, look_up
from shared.event_store.routing_entries import Entries
from shared.event_store.session import Session
from shared.registry.business import plus_addresses

Key = tuple[str, str]


def keys_of(address: Address) -> tuple[Key, ...]:
    """Return all keys under which an address may stand in the routing index."""
    return _keys(address.kind, address.address)


@lru_cache(maxsize=REMEMBERED)
def _keys(kind: str, address: str) -> tuple[Key, ...]:
    return tuple((kind, spelling) for spelling in spellings(kind, address))


@dataclass(frozen=True, slots=True)
class Owners:
    """`known` is what the routing index says of the addresses of the batch in hand."""

    session: Session
    tx: Transaction
    known: Entries

    def of(self, address: Address) -> UUID | None:
        """Return whose an address of the batch is, None for nobody's."""
        decided, known = self.session.entries.addresses, self.known.addresses
        for key in keys_of(address):
            if owner := decided.get(key) or known.get(key):
                return owner
        return None

    def of_any(self, address: Address) -> UUID | None:
        """Return the same of an address that is not in the batch."""
        if owner := self.of(address):
            return owner
        found = look_up(self.tx, Wanted((), keys_of(address), (), ())).addresses
        return next(iter(found.values()), None)

    def of_sender(self, address: Address, about: About) -> UUID | None:
        """Return whose a sender's address is; a new plus-address becomes its mailbox's, where the business says so."""
        if owner := self.of(address):
            return owner
        mailbox = self._mailbox(address)
        owner = self.of_any(mailbox) if mailbox else None
        if owner is not None:
            self._link(owner, address, about)
        return owner

    def register(self, address: Address, about: About, at: datetime) -> UUID:
        """Make a customer of an address that nobody has used before; `at`: when Okno received something from it."""
        stored = e.Address(address.kind, address.address, address.name)
        customer_id = self.session.new_customer_id(stored, at)
        for event in customers.register(customer_id, stored, customers.Customer()):
            self.session.append(customer_id, 1, Happening(event, about))
        if mailbox := self._mailbox(address):
            self._link(customer_id, mailbox, about)
        return customer_id

    def _mailbox(self, address: Address) -> Address | None:
        mailbox = without_tag(address.kind, address.address)
        if mailbox is None or plus_addresses(self.tx) == "apart":
            return None
        return Address(address.kind, mailbox, address.name)

    def _link(self, customer_id: UUID, address: Address, about: About) -> None:
        stored = e.Address(address.kind, address.address, address.name)
        self.session.add(customer_id, Happening(e.IdentityLinked(customer_id, stored), about))
