"""What the business has decided for all channels; read in the transaction that needs it, as it may change any time."""

from __future__ import annotations

from typing import Literal

from shared.database.protocol import Transaction

SCHEMA = "CREATE TABLE IF NOT EXISTS business_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
PlusAddresses = Literal["apart", "same"]
_PLUS = "plus_addresses"


def plus_addresses(tx: Transaction) -> PlusAddresses:
    """Return whether anna+shop@example.com is anna@example.com (same) or somebody else (apart, the default)."""
    row = tx.row("SELECT value FROM business_settings WHERE name = ?", (_PLUS,))
    return "same" if row and row[0] == "same" else "apart"


def set_plus_addresses(tx: Transaction, value: PlusAddresses) -> None:
    """Decide it for addresses that come for the first time from now on: known ones keep their customer."""
    tail = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    tx.insert_many("business_settings", ("name", "value"), [(_PLUS, value)], tail)
