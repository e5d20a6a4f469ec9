"""The table of the ledger: one row for each attempt of a reply, kept for ever as the key against sending it again."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    reply_id TEXT NOT NULL, attempt INTEGER NOT NULL, position BIGINT NOT NULL,
    conversation_id TEXT NOT NULL, channel_id TEXT NOT NULL, payload BLOB NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL, first_try_at TEXT, next_try_at TEXT NOT NULL,
    owner TEXT NOT NULL, lease_until TEXT NOT NULL,
    error TEXT NOT NULL, code TEXT NOT NULL, external_id TEXT NOT NULL, known_as TEXT NOT NULL,
    announced INTEGER NOT NULL, created_at TEXT NOT NULL, changed_at TEXT NOT NULL,
    PRIMARY KEY (reply_id, attempt)
);
CREATE UNIQUE INDEX IF NOT EXISTS deliveries_position ON deliveries (position);
CREATE INDEX IF NOT EXISTS deliveries_open ON deliveries (channel_id, position)
    WHERE state IN ('queued', 'waiting', 'sending');
CREATE INDEX IF NOT EXISTS deliveries_in_conversation ON deliveries (conversation_id, position)
    WHERE state IN ('queued', 'waiting', 'sending');
CREATE INDEX IF NOT EXISTS deliveries_unannounced ON deliveries (position)
    WHERE announced = 0 AND state IN ('sent', 'failed', 'unknown');
CREATE INDEX IF NOT EXISTS deliveries_unknown ON deliveries (changed_at) WHERE state = 'unknown'
"""
COLUMNS = (
    "reply_id",
    "attempt",
    "position",
    "conversation_id",
    "channel_id",
    "payload",
    "state",
    "tries",
    "first_try_at",
    "next_try_at",
    "owner",
    "lease_until",
    "error",
    "code",
    "external_id",
    "known_as",
    "announced",
    "created_at",
    "changed_at",
)
OPEN = "state IN ('queued', 'waiting', 'sending')"
"""As in the partial indexes, word for word, so that both databases use them."""
FINAL = "announced = 0 AND state IN ('sent', 'failed', 'unknown')"
FIRST_IN_LINE = (
    f"{OPEN} AND state <> 'sending' AND next_try_at <= ? AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier"
    " WHERE earlier.conversation_id = line.conversation_id AND earlier.position < line.position"
    f" AND earlier.{OPEN})"
)
"""Of each conversation only the earliest reply without a fate may leave."""
