"""Missed calls after which nobody has spoken with the client or written to them, the longest waiting first."""

from shared.domain import events as e


class MissedCalls:
    schema = "CREATE TABLE missed_calls (call TEXT PRIMARY KEY, customer TEXT, number TEXT, called_at TEXT)"
    query = """
    SELECT number, min(called_at) AS since, count(*) AS calls FROM missed_calls
    GROUP BY customer, number ORDER BY min(called_at)
    """

    def apply(self, db, recorded):
        event = recorded.event
        call = getattr(event, "call", None)
        if call is not None and call.direction == "inbound" and call.state == "missed":
            row = (event.message_id, event.customer_id, call.from_, recorded.occurred_at)
            db.run("INSERT INTO missed_calls VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
        elif _reached(event, call):
            db.run("DELETE FROM missed_calls WHERE customer = ?", (event.customer_id,))


def _reached(event, call):
    wrote = isinstance(event, e.ReplyRequested) and not event.automatic
    return wrote or (call is not None and call.state in ("answered", "finished"))
