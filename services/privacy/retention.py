"""Retention: what came by a channel goes once the whole week it was recorded in is older than the channel's rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.clock import now, to_text
from shared.database.protocol import Transaction
from shared.keys.ring import WEEK_SECONDS
from shared.registry import erasures

BY = "retention"


def due(tx: Transaction, at: datetime | None = None) -> list[UUID]:
    """Ask for the erasure of everything that is older than its channel's rule; return the requests made.

    A channel that is held is left alone until it is released.
    """
    held, made = erasures.held(tx, "channel"), []
    for rule in erasures.rules(tx):
        channel_id, until = UUID(rule["channel_id"]), to_text(before(rule["days"], at or now()))
        if channel_id in held or until <= (rule["done_until"] or ""):
            continue
        reason = f"kept for {rule['days']} days, as set by {rule['set_by']}"
        anew = not rule["done_until"]  # a new rule, or something was held until now
        if _done(tx, rule, until):
            made.append(erasures.add_retention(tx, channel_id, until, reason, BY, from_the_start=anew))
    return made


def _done(tx: Transaction, rule: dict[str, Any], until: str) -> bool:
    """Return False when somebody has changed the rule meanwhile, or released a hold: the next look sees it as new."""
    as_read = "channel_id = ? AND days = ? AND COALESCE(done_until, '') = ?"
    values = (until, rule["channel_id"], rule["days"], rule["done_until"] or "")
    return tx.run(f"UPDATE retention_rules SET done_until = ? WHERE {as_read}", values) > 0


def has_new_rule(tx: Transaction) -> bool:
    """Return whether a rule was set that nothing has gone by yet; one for a channel on hold waits for the release."""
    new = {UUID(id_) for (id_,) in tx.rows("SELECT channel_id FROM retention_rules WHERE done_until IS NULL")}
    return bool(new - erasures.held(tx, "channel"))


def before(days: int, at: datetime) -> datetime:
    """Return the moment before which content goes: the end of the last week that is older as a whole."""
    oldest = (at - timedelta(days=days)).timestamp()
    return datetime.fromtimestamp(oldest // WEEK_SECONDS * WEEK_SECONDS, UTC)
