"""How long clients wait for the first answer, by kind of channel and hour of the day (UTC)."""

from shared.domain import events as e


class FirstResponse:
    schema = """
    CREATE TABLE first_response (
        conversation TEXT PRIMARY KEY, channel TEXT, hour BIGINT, asked BIGINT, seconds BIGINT
    )
    """
    query = """
    SELECT channel, hour, count(*) AS asked, count(seconds) AS answered, min(seconds) AS fastest,
           CAST(sum(seconds) / NULLIF(count(seconds), 0) AS BIGINT) AS average, max(seconds) AS slowest
    FROM first_response GROUP BY channel, hour ORDER BY channel, hour
    """

    def apply(self, db, recorded):
        event, at = recorded.event, recorded.occurred_at
        if isinstance(event, e.MessageReceived) and event.waits:
            row = (event.conversation_id, event.channel_kind, at.hour, int(at.timestamp()))
            db.run("INSERT INTO first_response VALUES (?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING", row)
        elif isinstance(event, e.ReplyRequested) and not event.automatic:
            sql = "UPDATE first_response SET seconds = ? - asked WHERE conversation = ? AND seconds IS NULL"
            db.run(sql, (int(at.timestamp()), event.conversation_id))
