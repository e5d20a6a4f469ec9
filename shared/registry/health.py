"""How each channel fares, as its receiver and sender last said: shown in the window, the CLI and /metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.clock import now, to_text
from shared.database.protocol import Database, Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS channel_health (
    channel_id TEXT NOT NULL, role TEXT NOT NULL, problem TEXT NOT NULL, lag BIGINT, last_received_at TEXT,
    reported_at TEXT NOT NULL, PRIMARY KEY (channel_id, role)
)
"""


@dataclass(frozen=True, slots=True)
class Health:
    """`problem` is empty when there is none; `lag` counts items the provider has and we have not."""

    problem: str
    lag: int | None
    last_received_at: str | None


async def report(
    database: Database,
    channel_id: UUID,
    role: str,
    problem: str | None,
    lag: int | None,
    last_received_at: datetime | None,
) -> None:
    """Replace what `role` (receive or send) last said of a channel; what is None stands as it was."""
    received = to_text(last_received_at) if last_received_at else None

    def save(tx: Transaction) -> None:
        tx.run(
            "INSERT INTO channel_health VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (channel_id, role) DO UPDATE SET"
            " problem = COALESCE(?, channel_health.problem), lag = COALESCE(excluded.lag, channel_health.lag),"
            " last_received_at = COALESCE(excluded.last_received_at, channel_health.last_received_at),"
            " reported_at = excluded.reported_at",
            (str(channel_id), role, problem or "", lag, received, to_text(now()), problem),
        )

    await database.write(save)


def health_of_channels(tx: Transaction) -> dict[str, Health]:
    """Return the health of every channel that was ever reported, by channel id."""
    healths: dict[str, Health] = {}
    for id_, problem, lag, received in tx.rows(
        "SELECT channel_id, problem, lag, last_received_at FROM channel_health ORDER BY role"
    ):
        before = healths.get(id_, Health("", None, None))
        problems = "; ".join(filter(None, (before.problem, problem)))
        healths[id_] = Health(problems, lag if lag is not None else before.lag, received or before.last_received_at)
    return healths
