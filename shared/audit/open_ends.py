"""What has begun and must end: replies that need a fate, files that were announced and have to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from shared.audit.ledger import Hole, Ledger
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log_streams import read_stream


@dataclass(frozen=True, slots=True)
class Begun:
    """Something without an end: a reply or action asked for, or a file announced."""

    at: datetime
    position: int
    channel_id: UUID | None
    conversation_id: UUID
    name: str = ""


@dataclass(slots=True)
class OpenEnds:
    """Takes in the log in its order; memory holds only what has not ended. Not frozen: it follows a log."""

    replies: dict[UUID, Begun] = field(default_factory=dict)
    files: dict[tuple[UUID, str], Begun] = field(default_factory=dict)

    def take(self, tx: Transaction, recorded: e.Recorded, ledger: Ledger) -> None:
        """Take in the next event. `tx` is asked only for a reply that is sent again."""
        match recorded.event:
            case e.ReplyRequested() | e.ActionRequested() as event:
                self._ask(event.reply_id, event.channel_id, event.conversation_id, recorded, ledger)
            case e.ReplyRetried() as event:
                if channel_id := _channel_of(tx, event):
                    self._ask(event.reply_id, channel_id, event.conversation_id, recorded, ledger)
            case e.ReplySent() | e.ReplyFailed() | e.ReplyFateUnknown() as event:
                self._end(event, ledger)
            case e.FilesAnnounced() as event:
                for file in event.files:
                    begun = Begun(recorded.recorded_at, recorded.position, None, event.conversation_id, file.name)
                    self.files.setdefault((event.item_id, file.ref), begun)
            case e.FileArrived() | e.FileMissing() as event:
                self.files.pop((event.item_id, event.ref), None)

    def close(self, tx: Transaction, ledger: Ledger) -> None:
        """Forget what ended later than the log was taken in."""
        for reply_id, begun in list(self.replies.items()):
            for past in read_stream(tx, begun.conversation_id):
                event = past.event
                if isinstance(event, _FATES) and event.reply_id == reply_id and past.recorded_at >= begun.at:
                    self._end(event, ledger)
                    break
        for conversation_id in {begun.conversation_id for begun in self.files.values()}:
            for past in read_stream(tx, conversation_id):
                if isinstance(past.event, e.FileArrived | e.FileMissing):
                    self.files.pop((past.event.item_id, past.event.ref), None)

    def overdue(self, at: datetime, patience: timedelta) -> Iterator[tuple[UUID | None, Hole]]:
        """Return what should have ended, with the id of a reply."""
        for reply_id, begun in self.replies.items():
            if at - begun.at >= patience:
                what, done = f"reply {reply_id} has no known fate", "it was never taken up for sending"
                yield reply_id, _hole("reply_without_fate", begun, what, done)
        for (_, ref), begun in self.files.items():
            if at - begun.at >= patience:
                what = f"the file {begun.name or ref!r} was announced and has not come"
                yield None, _hole("file_owed", begun, what, "ingest asks for it again and again")

    def _ask(self, id_: UUID, channel_id: UUID, conversation_id: UUID, recorded: e.Recorded, ledger: Ledger) -> None:
        counts = ledger.of(channel_id)
        counts.asked += 1
        counts.sending += 1
        self.replies[id_] = Begun(recorded.recorded_at, recorded.position, channel_id, conversation_id)

    def _end(self, event: e.ReplySent | e.ReplyFailed | e.ReplyFateUnknown, ledger: Ledger) -> None:
        begun = self.replies.pop(event.reply_id, None)
        if begun is None or begun.channel_id is None:
            return
        counts = ledger.of(begun.channel_id)
        counts.sending -= 1
        if isinstance(event, e.ReplySent):
            counts.sent += 1
        elif isinstance(event, e.ReplyFailed):
            counts.failed += 1
        else:
            counts.unknown += 1


_FATES = (e.ReplySent, e.ReplyFailed, e.ReplyFateUnknown)


def _channel_of(tx: Transaction, event: e.ReplyRetried) -> UUID | None:
    for past in read_stream(tx, event.conversation_id):
        if isinstance(past.event, e.ReplyRequested | e.ActionRequested) and past.event.reply_id == event.reply_id:
            return past.event.channel_id
    return None


def _hole(kind: str, begun: Begun, what: str, done: str) -> Hole:
    return Hole(kind, begun.channel_id, begun.at, what, done, begun.position, begun.conversation_id)
