"""`open_transport(settings, database)`: embedded, or Kafka when OKNO_KAFKA names its servers."""

from __future__ import annotations

from shared.database.protocol import Database
from shared.settings import Settings
from shared.transport.protocol import Transport


def open_transport(settings: Settings, database: Database) -> Transport:
    """Return the transport of the settings, to be started. Kafka's libraries are imported only for Kafka."""
    if settings.kafka is None:
        from shared.transport.embedded import EmbeddedTransport

        return EmbeddedTransport(database)
    from shared.transport.kafka import KafkaTransport

    return KafkaTransport(settings.kafka)
