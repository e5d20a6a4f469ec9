"""Reading a topic without being a member of any group: it moves no position and keeps nothing from being trimmed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from shared.database.protocol import Database
from shared.settings import Settings
from shared.transport.protocol import Record

NOWHERE: Mapping[str, int] = {}


def look(
    settings: Settings,
    database: Database,
    topic: str,
    since: datetime | None = None,
    behind: Mapping[str, int] = NOWHERE,
) -> AsyncIterator[list[Record]]:
    """Yield what the topic holds now, from a moment on, or behind an offset of each source that is named.

    Raises TransportUnavailable.
    """
    if settings.kafka is None:
        from shared.transport.embedded_look import look_embedded

        return look_embedded(database, topic, since, behind)
    from shared.transport.kafka_look import look_kafka

    return look_kafka(settings.kafka, topic, since, behind)
