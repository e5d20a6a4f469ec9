"""Which customers were shown as one at a past moment, from the events of all who ever were.

Operators' merges count from when they were recorded, also where what had happened is asked for: so they are always in
an order in which they were decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.domain.merge import Merged, root_of
from shared.event_store.log_streams import read_streams
from shared.event_store.merging import ever_together
from shared.read_models.moment import Moment
from shared.values import dataclass

_MERGES = (e.CustomersMerged, e.MemberJoined, e.CustomerUnmerged, e.MemberLeft)


@dataclass(frozen=True, slots=True)
class Groups:
    """`into`: who was merged into whom, in the order of the merges."""

    into: dict[UUID, Merged]

    def root(self, customer_id: UUID) -> UUID:
        """Return who stood for a customer."""
        return root_of(customer_id, self.into.get)

    def members(self, customer_id: UUID) -> list[UUID]:
        """Return all who were shown as one with a customer; who stood for them first."""
        root = self.root(customer_id)
        return [root, *(id_ for id_ in self.into if self.root(id_) == root)]


def groups_at(tx: Transaction, customer_ids: Iterable[UUID], moment: Moment) -> Groups:
    """Return the groups of some customers as they stood."""
    return _groups(read_streams(tx, ever_together(tx, *customer_ids), moment.position))


def of_customers(
    tx: Transaction, customer_ids: Iterable[UUID], moment: Moment, had: Collection[UUID]
) -> list[e.Recorded]:
    """Return the events of customers themselves up to a moment, and of all they were ever shown as one with.

    Of whom anything had happened, who `had` conversations or was in a group: there were they.
    """
    events = read_streams(tx, ever_together(tx, *customer_ids))
    counting = [recorded for recorded in events if _counts(recorded, moment)]
    into = _groups(counting).into
    grouped = {*into, *(merged.into_id for merged in into.values())}
    there = {recorded.stream_id for recorded in counting} | set(had) | grouped
    begun = [recorded for recorded in events if recorded.version == 1 and recorded.stream_id in there]
    by_position = {recorded.position: recorded for recorded in [*counting, *begun]}
    return [by_position[position] for position in sorted(by_position)]


def _counts(recorded: e.Recorded, moment: Moment) -> bool:
    if isinstance(recorded.event, _MERGES):
        return recorded.position <= moment.position
    return moment.includes(recorded.position, to_text(recorded.occurred_at))


def _groups(events: Iterable[e.Recorded]) -> Groups:
    into: dict[UUID, Merged] = {}
    for recorded in events:
        match recorded.event:
            case e.CustomersMerged() as event:
                into[event.customer_id] = Merged(event.into_id, event.merge_id)
            case e.CustomerUnmerged() as event:
                del into[event.customer_id]
    return Groups(into)
