"""Reading a topic without being a member of any group: it moves no position and keeps nothing from being trimmed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from shared.database.protocol import Database
from shared.settings import Settings
from shared.transport.protocol import Record


def look(
    settings: Settings, database: Database, topic: str, since: datetime | None = None
) -> AsyncIterator[list[Record]]:
    """Yield what the topic holds now, from a moment on. Raises TransportUnavailable."""
    if settings.embedded:
        from shared.transport.embedded_look import look_embedded

        return look_embedded(database, topic, since)
    from shared.transport.kafka_look import look_kafka

    return look_kafka(settings.kafka, topic, since)
