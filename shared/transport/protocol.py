"""What services ask of a transport. Delivery is at least once, in order per key; positions decide what is done.

A consumer that keeps its positions elsewhere (the projector: in the event store, in the transaction of the events)
gives `Positions`; one that does not, calls `commit` after its work is durable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from shared.values import dataclass


class TransportUnavailable(Exception):
    """The transport cannot be reached or did not confirm; nothing may be taken as published."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish; `key` decides the partition."""

    key: str
    value: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read. `source` names its partition for ever (topic, topic's id, partition), `offset` grows in it."""

    source: str
    offset: int
    key: str
    value: bytes
    headers: dict[str, str]


class Publisher(Protocol):
    async def publish(self, topic: str, record: Outgoing) -> None:
        """Return once the record is durable (acks=all, or committed with fsync). Raises TransportUnavailable."""

    async def publish_many(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Return once all are durable, in the order given per key. Raises TransportUnavailable."""


class Positions(Protocol):
    """Where a consumer's positions live, if not in the transport."""

    async def load(self, sources: Sequence[str]) -> Mapping[str, int]:
        """Return the last offset done for each source; a source that is missing starts from its beginning."""


class Consumer(Protocol):
    """One member of a group. Use as an async context manager: entering joins, leaving leaves the group."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        """Return up to `limit` next records, per source in order; waits for the first up to the timeout, then []."""

    async def commit(self, records: Sequence[Record]) -> None:
        """Return once the group's positions are past these records. Loses silently to a rebalance: work may repeat."""

    async def rewind(self) -> None:
        """Forget what was read since the last commit (or since `Positions`): the next batch reads it again."""

    async def lag(self) -> int:
        """Return how many records wait, over the assigned partitions."""


class Transport(Protocol):
    """Made by `open_transport`; close it last."""

    def publisher(self) -> Publisher: ...

    def consumer(self, topic: str, group: str, positions: Positions | None = None) -> Consumer: ...

    async def ends(self, topic: str) -> Mapping[str, int]:
        """Return the offset of the last record of each source of a topic that has any."""

    async def done(self, topic: str, group: str) -> Mapping[str, int]:
        """Return the offset up to which a group is known to have come, by source; for groups without `Positions`."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...
