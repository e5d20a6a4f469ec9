"""The embedded transport: a durable log in the database that everything else is in. One process for all groups."""

from __future__ import annotations

from shared.database.protocol import Database, Transaction
from shared.database.schema import lock_schema
from shared.transport.embedded_consumer import EmbeddedConsumer, Group
from shared.transport.embedded_log import SCHEMA
from shared.transport.embedded_publisher import EmbeddedPublisher
from shared.transport.protocol import Positions


class EmbeddedTransport:
    """Members of a group must be in one process: another process with the same group would read everything again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._publisher = EmbeddedPublisher(database)
        self._groups: dict[tuple[str, str], Group] = {}

    def publisher(self) -> EmbeddedPublisher:
        return self._publisher

    def consumer(self, topic: str, group: str, positions: Positions | None = None) -> EmbeddedConsumer:
        shared = self._groups.setdefault((topic, group), Group(group, topic))
        return EmbeddedConsumer(self._database, shared, positions)

    async def start(self) -> None:
        """Create the tables. Raises DatabaseUnavailable."""
        await self._database.write(_create_tables)

    async def close(self) -> None:
        await self._publisher.close()


def _create_tables(tx: Transaction) -> None:
    lock_schema(tx)
    tx.script(SCHEMA)
