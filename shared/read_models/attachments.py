"""Where each attachment's bytes lie, by the id its URL has."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.read_models.entries import Body, attachment_id, remote_id
from shared.read_models.told import told


class Attachments:
    name = "attachments"
    version = 3
    tables = ("attachments",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}attachments (
            id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL,
            message_id TEXT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return ""

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [
            (str(attachment_id(owner, index)), file.sha256, file.name, file.media_type, str(owner))
            for recorded in told(events, _WITH_FILES)
            for owner, files in _files(recorded.event)
            for index, file in enumerate(files)
        ]
        rows += [
            (
                str(remote_id(r.event.item_id, r.event.ref)),
                r.event.file.sha256,
                r.event.file.name,
                r.event.file.media_type,
                str(r.event.message_id),
            )
            for r in events
            if isinstance(r.event, e.FileArrived)
        ]
        tx.insert_many(f"{prefix}attachments", ("id", "sha256", "name", "media_type", "message_id"), rows)


READ_MODEL = Attachments()
_WITH_FILES = {e.MessageReceived, e.MessageExtended, e.ReplyRequested, e.MessageEdited}


def _files(event: e.Event) -> list[tuple[UUID, tuple[e.File, ...]]]:
    match event:
        case e.MessageReceived() if event.files:
            return [(event.said_id, event.files)]
        case e.MessageExtended() if event.message.files:
            return [(event.message.said_id, event.message.files)]
        case e.ReplyRequested() if event.files:
            return [(event.reply_id, event.files)]
        case e.MessageEdited() if event.files:
            return [(event.item_id, event.files)]
    return []


def attachment(tx: Transaction, id_: UUID) -> Body | None:
    """Return sha256, name and media_type of an attachment."""
    row = tx.row("SELECT sha256, name, media_type FROM attachments WHERE id = ?", (str(id_),))
    return {"sha256": row[0], "name": row[1], "media_type": row[2]} if row else None
