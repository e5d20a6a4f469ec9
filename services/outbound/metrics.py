"""What outbound counts, by channel kind: served at /metrics of the process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

TRIES = Counter("okno_outbound_tries_total", "Tries to send a reply, by how they ended", ["kind", "outcome"])
SEND_SECONDS = Histogram(
    "okno_outbound_send_seconds",
    "How long a provider took for one reply",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("okno_outbound_sends_in_flight", "Replies being sent")
ACCEPTED = Counter("okno_outbound_accepted_total", "Replies taken into the ledger, repeated ones too")
ANNOUNCED = Counter("okno_outbound_announced_total", "Fates told, by state", ["state"])
