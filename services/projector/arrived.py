"""Files that ingest fetches in the background: announced with their item, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from services.projector.held_files import hold_file
from services.projector.targets import find
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.inbound import InboundMessage, inbound_id
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import About
from shared.event_store.routing import conversation_of
from shared.event_store.session import Session
from shared.logs import Log

log = Log("projector")


def message_id_of(item: InboundMessage) -> UUID:
    """A call is one message however many webhooks tell of it, an album however many parts it has."""
    if item.part_of and item.about is None:
        return inbound_id(item.channel_id, f"all of {item.part_of}")
    return item.id if item.call is None else inbound_id(item.channel_id, item.external_id)


def announce(session: Session, tx: Transaction, item: InboundMessage, conversation_id: UUID, about: About) -> None:
    """Say of which files an item speaks; those of an edit belong to the message it changes."""
    message_id = item.id if item.part_of else message_id_of(item)
    if item.about is not None and item.about.edited is not None:
        target = find(session, tx, item, item.about.edited.external_id)
        message_id = target.message_id if target else inbound_id(item.channel_id, item.about.edited.external_id)
    files = tuple(e.RemoteFile(f.ref, f.name, f.media_type, f.size, f.content_id) for f in item.remote_files)
    command = c.AnnounceFiles(message_id, item.id, files, once=item.call is not None)
    session.decide(conversation_id, command, about)


def take(session: Session, tx: Transaction, item: FileFetched | FileUnavailable) -> None:
    """Put a file where it was announced; one that nobody awaits has come before."""
    about = About(item.at, e.Actor("system"), item.inbound_id)
    file, reason = None, ""
    if isinstance(item, FileFetched):
        file = e.File(
            item.file.sha256, item.file.size, item.file.name, item.file.media_type, item.file.content_id
        )  # fmt: skip
    else:
        reason = item.reason
    command = c.TakeFile(item.inbound_id, item.ref, file, reason)
    for conversation_id in _conversations(session, tx, item.inbound_id):
        if session.decide(conversation_id, command, about):
            return
    if not hold_file(session, tx, e.FileHeld(item.inbound_id, item.ref, file, reason), about):
        log.info("file_not_awaited", inbound_id=item.inbound_id)


def _conversations(session: Session, tx: Transaction, item_id: UUID) -> Iterator[UUID]:
    """The conversation the item is in, then those it was moved out of: there its files were announced."""
    found = session.entries.seen.get(item_id) or conversation_of(tx, item_id)
    if found is None:
        return
    yield found
    for recorded in read_stream(tx, found):
        if isinstance(recorded.event, e.MessageAdopted) and recorded.event.message.message_id == item_id:
            yield recorded.event.from_conversation_id
