"""What ingest counts, by channel kind: served at /metrics of the process."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

from shared.connector import Channel

ACCEPTED = Counter("okno_ingest_accepted_total", "Items published, understood or not", ["kind", "outcome"])
ACCEPT_SECONDS = Histogram(
    "okno_ingest_accept_seconds",
    "From an item received to its record durable",
    ["kind"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
REFUSED = Counter("okno_ingest_refused_total", "Webhook requests answered with an error", ["kind", "status"])
IN_FLIGHT = Gauge("okno_ingest_requests_in_flight", "Webhook requests being answered")
RESTARTS = Counter("okno_ingest_receiver_restarts_total", "Receivers that failed and were started again", ["kind"])
RECEIVERS = Gauge("okno_ingest_receivers", "Receivers that run in this process", ["kind"])
FETCHED = Counter("okno_ingest_files_fetched_total", "Files fetched in the background, by how it ended", ["outcome"])
CHANNEL_LAG = Gauge(
    "okno_ingest_channel_lag_items",
    "Items that wait at the provider and are not here; only of channels that this process reads",
    ["kind", "channel", "name"],
)
RETRIED = Counter("okno_ingest_retried_total", "Quarantined items read again", ["kind", "outcome"])


def lag_of(channel: Channel) -> Gauge:
    """Return a channel's own gauge of lag."""
    return CHANNEL_LAG.labels(channel.kind, str(channel.id), channel.name)


def forget_lag(channel: Channel) -> None:
    """Nobody here knows any more how much waits for a channel."""
    with suppress(KeyError):
        CHANNEL_LAG.remove(channel.kind, str(channel.id), channel.name)
