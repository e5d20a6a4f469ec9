"""How far conversations get, by kind of channel: opened, answered, answered within the hour, closed."""

from shared.domain import events as e


class Funnel:
    schema = """
    CREATE TABLE funnel (
        conversation TEXT PRIMARY KEY, channel TEXT, opened BIGINT, answered BIGINT, closed BIGINT DEFAULT 0
    )
    """
    query = """
    SELECT channel, count(*) AS opened, count(answered) AS answered,
           sum(CASE WHEN answered - opened <= 3600 THEN 1 ELSE 0 END) AS within_the_hour, sum(closed) AS closed
    FROM funnel GROUP BY channel ORDER BY count(*) DESC, channel
    """

    def apply(self, db, recorded):
        event, at = recorded.event, int(recorded.occurred_at.timestamp())
        match event:
            case e.ConversationOpened():
                row = (event.conversation_id, event.channel_kind, at)
                db.run("INSERT INTO funnel (conversation, channel, opened) VALUES (?, ?, ?)", row)
            case e.ReplyRequested() if not event.automatic:
                sql = "UPDATE funnel SET answered = ? WHERE conversation = ? AND answered IS NULL"
                db.run(sql, (at, event.conversation_id))
            case e.ConversationClosed():
                db.run("UPDATE funnel SET closed = 1 WHERE conversation = ?", (event.conversation_id,))
