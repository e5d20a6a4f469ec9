"""Files of reports that are held: they come while nobody knows yet where the report belongs."""

from __future__ import annotations

from uuid import UUID, uuid5

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import Wanted, look_up
from shared.event_store.session import Session


def held_stream(id_: UUID) -> UUID:
    """Return the stream of what is held of a call, or of an item."""
    return uuid5(id_, "held")


def held_in(session: Session, tx: Transaction, id_: UUID) -> list[e.Event]:
    """Return what is held of a call or an item, oldest first, with what this batch adds."""
    stream_id = held_stream(id_)
    past = [recorded.event for recorded in read_stream(tx, stream_id)]
    return past + [happening.event for stream, _, happening in session.appended if stream == stream_id]


def hold_file(session: Session, tx: Transaction, event: e.FileHeld, about: About) -> bool:
    """Keep a file of a held report; False when no such report is held. The same file again is kept once."""
    known = session.entries.seen
    if event.item_id not in known:
        known = look_up(tx, Wanted([event.item_id], (), (), ())).seen
    if known.get(event.item_id, event.item_id) is not None:
        return False
    held = held_in(session, tx, event.item_id)
    if event not in held:
        session.append(held_stream(event.item_id), len(held) + 1, Happening(event, about))
    return True


def take_held(session: Session, tx: Transaction, conversation_id: UUID, item_id: UUID, about: About) -> None:
    """Put the files that have come meanwhile where they are announced now."""
    for event in held_in(session, tx, item_id):
        if isinstance(event, e.FileHeld):
            session.decide(conversation_id, c.TakeFile(item_id, event.ref, event.file, event.reason), about)
