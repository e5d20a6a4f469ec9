"""What the ledger of deliveries says about replies whose fate the log does not know yet: for `okno audit`."""

from __future__ import annotations

from collections.abc import Sequence

from shared.database.protocol import Row, Transaction


def told(tx: Transaction, reply_ids: Sequence[str]) -> dict[str, str]:
    """Return, for replies that were taken up, what has been done about them: their last attempt."""
    columns = "reply_id, attempt, state, tries, error, next_try_at, changed_at, announced"
    rows = tx.rows_in(f"SELECT {columns} FROM deliveries WHERE reply_id", list(reply_ids))
    return {row[0]: _words(row) for row in sorted(rows, key=lambda row: (row[0], row[1]))}


def _words(row: Row) -> str:
    _, attempt, state, tries, error, next_try_at, changed_at, announced = row
    again = f" (attempt {attempt})" if attempt > 1 else ""
    why = f": {error}" if error else ""
    match state:
        case "queued":
            return f"queued since {changed_at}{again}"
        case "waiting":
            return f"tried {tries} times{again}, next at {next_try_at}{why}"
        case "sending":
            return f"being sent since {changed_at}{again}"
    told_ = "and told" if announced else "and not told yet"
    return f"{state} at {changed_at}{again}, {told_}{why}"
