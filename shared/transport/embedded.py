"""The embedded transport: a durable log in the database that everything else is in. One process for all groups."""

from __future__ import annotations

import asyncio
from functools import partial

from shared.clock import now
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.database.schema import lock_schema
from shared.logs import Log
from shared.said import said
from shared.transport import embedded_log
from shared.transport.embedded_consumer import EmbeddedConsumer, Group
from shared.transport.embedded_log import SCHEMA, trim
from shared.transport.embedded_publisher import EmbeddedPublisher
from shared.transport.protocol import Positions

TRIM_EVERY_SECONDS = 600.0
log = Log("transport")


class EmbeddedTransport:
    """Members of a group must be in one process: another process with the same group would read everything again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._publisher = EmbeddedPublisher(database)
        self._groups: dict[tuple[str, str], Group] = {}
        self._trimming: asyncio.Task[None] | None = None

    def publisher(self) -> EmbeddedPublisher:
        return self._publisher

    def consumer(self, topic: str, group: str, positions: Positions | None = None) -> EmbeddedConsumer:
        shared = self._groups.setdefault((topic, group), Group(group, topic))
        return EmbeddedConsumer(self._database, shared, positions)

    async def ends(self, topic: str) -> dict[str, int]:
        return await self._database.read(partial(embedded_log.ends, topic=topic))

    async def done(self, topic: str, group: str) -> dict[str, int]:
        found = await self._database.read(lambda tx: embedded_log.load_positions(tx, group, topic))
        return {embedded_log.source(topic, partition): position for partition, position in found.items()}

    async def start(self) -> None:
        """Create the tables and begin to trim. Raises DatabaseUnavailable."""
        await self._database.write(_create_tables)
        self._trimming = asyncio.create_task(self._trim_forever(), name="transport-trim")

    async def close(self) -> None:
        if self._trimming is not None:
            self._trimming.cancel()
            await asyncio.gather(self._trimming, return_exceptions=True)
        await self._publisher.close()

    async def _trim_forever(self) -> None:
        """Disk stays bounded: what every group has passed goes after a day."""
        while True:
            await asyncio.sleep(TRIM_EVERY_SECONDS)
            try:
                deleted = await trim(self._database, now())
            except DatabaseUnavailable as error:
                log.warning("trim_postponed", reason=said(error))
            else:
                log.info("trimmed", records=deleted)


def _create_tables(tx: Transaction) -> None:
    lock_schema(tx)
    tx.script(SCHEMA)
