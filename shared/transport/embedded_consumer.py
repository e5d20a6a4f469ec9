"""Reading the embedded log. The members of a group in this process share its partitions; one owner at a time.

A member gives partitions up at its next `batch`, when it has done with the last one, or when it leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from shared.database.protocol import Database, DatabaseUnavailable, Listener, Transaction
from shared.said import said
from shared.transport import embedded_log as log
from shared.transport.protocol import Positions, Record, TransportUnavailable

T = TypeVar("T")
REPORT_SECONDS = 1.0
"""Positions that live elsewhere are told to the log this often: they let it trim and decide nothing."""


@dataclass(slots=True)
class Group:
    """Who reads which partition of a topic. `listeners` are used again: the database never forgets one."""

    name: str
    topic: str
    members: list[EmbeddedConsumer] = field(default_factory=list)
    owners: dict[int, EmbeddedConsumer] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)

    def share_out(self, member: EmbeddedConsumer) -> tuple[set[int], bool]:
        """Give up what is now another's, take what is free of the member's share. Returns (owned, given up any)."""
        mine = self.members.index(member)
        share = {p for p in range(log.PARTITIONS) if p % len(self.members) == mine}
        extra = [p for p, owner in self.owners.items() if owner is member and p not in share]
        for partition in extra:
            del self.owners[partition]
        for partition in share:
            self.owners.setdefault(partition, member)
        return {p for p, owner in self.owners.items() if owner is member}, bool(extra)

    def leave(self, member: EmbeddedConsumer) -> None:
        self.members.remove(member)
        self.owners = {p: owner for p, owner in self.owners.items() if owner is not member}


class EmbeddedConsumer:
    """One member. `_read` is how far it has read its partitions, `_done` how far the group is known to be."""

    def __init__(self, database: Database, group: Group, positions: Positions | None) -> None:
        self._database, self._group, self._positions = database, group, positions
        self._listener: Listener | None = None
        self._read: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._unreported: dict[int, int] = {}
        self._report_at = 0.0

    async def __aenter__(self) -> Self:
        topic = self._group.topic
        free = self._group.listeners
        self._listener = free.pop() if free else self._database.listen(log.wake_up(topic))
        self._group.members.append(self)
        try:
            await self._write(dict.fromkeys(range(log.PARTITIONS), 0), wake=True)
            await self._take_share()
        except BaseException:
            self._go()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._go()
        with suppress(TransportUnavailable):  # the others share out anew at their next batch, with or without this
            await self._write(self._unreported, wake=True)

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        if self._listener is None:
            raise RuntimeError("a consumer is used inside `async with`")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            await self._take_share()
            if records := await self._next(limit):
                return records
            if not await self._listener.wait(max(0.0, deadline - loop.time())):
                return []

    async def commit(self, records: Sequence[Record]) -> None:
        furthest: dict[int, int] = {}
        for record in records:
            partition = log.partition_of(record.source)
            if partition in self._done and record.offset > self._done[partition]:
                furthest[partition] = self._done[partition] = record.offset
        self._unreported.update(furthest)
        at = asyncio.get_running_loop().time()
        if self._unreported and (self._positions is None or at >= self._report_at):
            await self._write(self._unreported, wake=False)
            self._unreported, self._report_at = {}, at + REPORT_SECONDS

    async def rewind(self) -> None:
        self._read.clear()

    async def lag(self) -> int:
        return await self._from_log(lambda tx: log.waiting(tx, self._group.topic, self._done))

    async def _next(self, limit: int) -> list[Record]:
        records = await self._from_log(lambda tx: log.read(tx, self._group.topic, self._read, limit))
        for record in records:
            self._read[log.partition_of(record.source)] = record.offset
        return records

    async def _take_share(self) -> None:
        owned, gave_up = self._group.share_out(self)
        for partition in self._done.keys() - owned:
            del self._done[partition]
            self._read.pop(partition, None)
        if gave_up:
            await self._write({}, wake=True)
        if taken := owned - self._read.keys():
            loaded = await self._load(taken)
            self._read.update(loaded)
            self._done.update(loaded)

    async def _load(self, partitions: set[int]) -> Mapping[int, int]:
        if self._positions is None:
            stored = await self._from_log(lambda tx: log.load_positions(tx, self._group.name, self._group.topic))
            return {p: stored.get(p, 0) for p in partitions}
        sources = {log.source(self._group.topic, p): p for p in sorted(partitions)}
        known = await self._positions.load(list(sources))
        return {p: known.get(source, 0) for source, p in sources.items()}

    def _go(self) -> None:
        self._group.leave(self)
        if self._listener is not None:
            self._group.listeners.append(self._listener)
            self._listener = None
        self._read, self._done = {}, {}

    async def _write(self, positions: Mapping[int, int], *, wake: bool) -> None:
        def job(tx: Transaction) -> None:
            log.save_positions(tx, self._group.name, self._group.topic, positions)
            if wake:
                tx.notify(log.wake_up(self._group.topic))

        try:
            await self._database.write(job, brief=True)
        except DatabaseUnavailable as error:
            raise TransportUnavailable(said(error)) from error

    async def _from_log(self, job: Callable[[Transaction], T]) -> T:
        try:
            return await self._database.read(job, brief=True)
        except DatabaseUnavailable as error:
            raise TransportUnavailable(said(error)) from error
