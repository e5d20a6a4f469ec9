"""Two customers who may be one: what a message claims, or its channel vouches for, is known of somebody else.

A suggestion changes nothing but the list of suggestions; an operator decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.projector.arrived import message_id_of
from services.projector.owners import Owners
from shared.contracts.inbound import Address, InboundMessage
from shared.domain import events as e
from shared.event_store import merging
from shared.event_store.mapper import About
from shared.event_store.routing import claims_of
from shared.event_store.routing_entries import Claims

MOST_CLAIMANTS = 5
"""An address that more customers have given is a made-up one, or a switchboard's: it says nothing."""


@dataclass(frozen=True, slots=True)
class Suggesting:
    """`before`: who had claimed the addresses of the batch when it began."""

    owners: Owners
    before: Claims

    def follow(self, item: InboundMessage, about: About) -> None:
        """Suggest what follows from an item that has been received; one that tells of another is no message to show."""
        sender = self.owners.of(item.sender)
        if sender is None or item.nature == "spam":
            return
        message_id = message_id_of(item) if item.about is None else None
        for address in item.vouched:
            self._compare(sender, address, "vouched", message_id, about)
            self._expected(sender, address, about)
        for address in item.identities:
            self._compare(sender, address, "claimed", message_id, about)
        self._expected(sender, item.sender, about)

    def _compare(
        self,
        sender: UUID,
        address: Address,
        evidence: Literal["claimed", "vouched"],
        message_id: UUID | None,
        about: About,
    ) -> None:
        """Somebody gave an address: whose is it, or who else gave it?"""
        owner = self.owners.of(address)
        if owner is not None:
            self._suggest(sender, owner, e.Reason(evidence, address.kind, address.address, sender, message_id), about)
            return
        for other in self._claimants(address):
            self._suggest(sender, other, e.Reason("both", address.kind, address.address, sender, message_id), about)

    def _expected(self, owner: UUID, address: Address, about: About) -> None:
        """An address is somebody's own: had anybody given it before?"""
        if self._was_claimed(address) and self.owners.of(address) == owner:
            for other in self._claimants(address):
                self._suggest(owner, other, e.Reason("claimed", address.kind, address.address, other), about)

    def _was_claimed(self, address: Address) -> bool:
        key = (address.kind, address.address)
        return key in self.before or key in self.owners.session.entries.claims

    def _claimants(self, address: Address) -> Sequence[UUID]:
        key = (address.kind, address.address)
        before, decided = self.before.get(key), self.owners.session.entries.claims.get(key)
        claims = {**before, **decided} if before and decided else before or decided or {}
        owners = [self.owners.of_any(Address(*by)) for by in dict.fromkeys(claims.values())]
        claimants = list(dict.fromkeys(filter(None, owners)))
        return claimants if len(claimants) <= MOST_CLAIMANTS else ()

    def _suggest(self, one: UUID, other: UUID, reason: e.Reason, about: About) -> None:
        if one != other:
            by_itself = About(about.occurred_at, e.Actor("system"), about.cause)
            merging.suggest(self.owners.session, self.owners.tx, one, other, reason, by_itself)


def suggesting(owners: Owners, items: Iterable[InboundMessage]) -> Suggesting:
    """Return what suggests for a batch. Addresses that are somebody's already have been compared before."""
    keys = {(a.kind, a.address) for item in items for a in (item.sender, *item.vouched, *item.identities)}
    unowned = [key for key in keys if key not in owners.known.addresses]
    return Suggesting(owners, claims_of(owners.tx, unowned))
