"""Whose stream is it? Its first event says of what kind; an id that somebody gives may be of another thing."""

from __future__ import annotations

from types import UnionType
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store.log_streams import read_stream
from shared.event_store.recorders import EVENTS

TAKEN = "This id is of something else"


def last_version(tx: Transaction, stream_id: UUID) -> int:
    """Return the version of a stream's last event, 0 when there is none: also where it cannot be read."""
    id_ = stream_id.hex if tx.dialect == "sqlite" else stream_id
    row = tx.row(f"SELECT max(originator_version) FROM {EVENTS} WHERE originator_id = ?", (id_,))
    return int(row[0]) if row and row[0] else 0


def past_of(tx: Transaction, stream_id: UUID, kind: UnionType, *, creates: bool = False) -> list[e.Event]:
    """Return the events of a stream that began with one of a kind; none of any other stream.

    `creates`: something new may begin under this id. Raises Refused when it is another thing's.
    """
    past = [recorded.event for recorded in read_stream(tx, stream_id)]
    if not past or isinstance(past[0], kind):
        return past
    if creates:
        raise Refused("id_taken", TAKEN)
    return []


def refuse_other(tx: Transaction, conversation_id: UUID, command: c.ConversationCommand, id_: UUID) -> None:
    """Raises Refused unless the id is what this command made in this conversation before: its repeat is no news.

    Under the same id other words would be taken for the first ones, and lost. Of what was erased nobody knows the words
    any more: there the id is enough.
    """
    if not any(_made(recorded, command, id_) for recorded in read_stream(tx, conversation_id)):
        raise Refused("id_taken", TAKEN)


def _made(recorded: e.Recorded, command: c.ConversationCommand, id_: UUID) -> bool:
    match command, recorded.event:
        case c.AddNote(), e.NoteAdded() as event:
            return event.note_id == id_ and (recorded.erased or event.text == command.text)
        case c.RequestReply(), e.ReplyRequested() as event:
            is_same = event.text == command.text and _goes_there(event, command)
            return event.reply_id == id_ and (recorded.erased or is_same)
        case c.RequestAction(), e.ActionRequested() as event:
            return event.reply_id == id_ and _does_that(event, command, words=not recorded.erased)
    return False


def _does_that(event: e.ActionRequested, command: c.RequestAction, words: bool) -> bool:
    """Whether the same was to be done; `words`: they are known, and whose telephones are to ring."""
    named = [(each.action, each.message_id, each.channel_id) for each in (event, command)]
    said = [(each.text, each.to, each.operator_address) for each in (event, command)]
    return named[0] == named[1] and (not words or said[0] == said[1])


def _goes_there(event: e.ReplyRequested, command: c.RequestReply) -> bool:
    """Whether the same files went to the same people."""
    files = [file.sha256 for file in event.files] == [file.sha256 for file in command.files]
    to = command.to is None or command.to == event.to
    return files and to and (event.cc, event.bcc) == (command.cc, command.bcc)
