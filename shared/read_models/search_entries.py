"""What can be found: an entry for each message, note, customer and quarantined item, and how events change them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from shared.clock import to_text
from shared.domain import events as e
from shared.read_models.search_words import KEY, OWNER, stems


class Entry(NamedTuple):
    """`id` is what later events call it, `message_id` the message it is (part) of; texts are what it is found by.

    Ids are 32 hexadecimal digits, as in the index: with hyphens they would take twice the time and more room.
    """

    position: int
    id: str
    message_id: str
    kind: str
    customer_id: str
    conversation_id: str
    channel_id: str
    direction: str
    at: str
    title: str
    text: str
    more: str
    changed_at: str = ""

    def words(self) -> str:
        """Return what the index has of it."""
        found = stems(f"{self.title}\n{self.text}\n{self.more}")
        found.update((KEY + self.id, KEY + self.message_id, OWNER + self.customer_id))
        return " ".join(found)


COLUMNS = Entry._fields


def created(recorded: e.Recorded) -> str | None:
    """Return the id of the entry that an event makes, None when it makes none."""
    event = recorded.event
    name = _CREATED.get(type(event))
    if name is None:
        return None
    id_: UUID = getattr(event.message if isinstance(event, e.MessageExtended) else event, name)
    return id_.hex


def touched(recorded: e.Recorded) -> str | None:
    """Return the id of the entry or message that an event changes, None when it changes none."""
    event = recorded.event
    match event:
        case e.MessageReceived() if event.edited_before:
            return event.said_id.hex
        case e.MessageExtended() if event.message.edited_before:
            return event.message.said_id.hex
        case e.InboundQuarantined() if recorded.version > 1:
            return event.item_id.hex
    name = _TOUCHED.get(type(event))
    if name is None:
        return None
    id_: UUID = getattr(event, name)
    return id_.hex


_CREATED: dict[type, str] = {
    e.CustomerRegistered: "customer_id", e.MessageReceived: "said_id", e.MessageExtended: "said_id",
    e.ReplyRequested: "reply_id", e.NoteAdded: "note_id", e.InboundQuarantined: "item_id",
}  # fmt: skip
_TOUCHED: dict[type, str] = {
    e.IdentityLinked: "customer_id", e.CardChanged: "customer_id", e.MessageEdited: "message_id",
    e.MessageDeleted: "message_id", e.MessageMoved: "message_id", e.FilesAnnounced: "message_id",
    e.QuarantineResolved: "item_id",
}  # fmt: skip


@dataclass(slots=True)
class Entries:
    """The entries that a batch of events is about, by id. Not frozen: it is what the batch changes."""

    by_id: dict[str, Entry] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)
    """Ids of messages that were deleted before they came."""

    def take(self, recorded: e.Recorded) -> None:
        """Take in the next event, of those that are `TOLD`."""
        _CHANGES[type(recorded.event)](self, recorded.event, recorded)

    def of(self, id_: str) -> list[Entry]:
        """Return the entry of this id, or all of this message."""
        found = self.by_id.get(id_)
        return [found] if found else [entry for entry in self.by_id.values() if entry.message_id == id_]

    def put(self, entry: Entry) -> None:
        if entry.id not in self.early:
            self.by_id[entry.id] = entry


def _registered(entries: Entries, event: e.CustomerRegistered, recorded: e.Recorded) -> None:
    entries.put(_entry(recorded, event.customer_id, "customer", event, title=event.name, more=_of(event.address)))


def _linked(entries: Entries, event: e.IdentityLinked, recorded: e.Recorded) -> None:
    for entry in entries.of(event.customer_id.hex):
        entries.put(entry._replace(more=_joined([entry.more, _of(event.address)])))


def _card_changed(entries: Entries, event: e.CardChanged, recorded: e.Recorded) -> None:
    for entry in entries.of(event.customer_id.hex):
        title, lines = entry.title, entry.more.split("\n")
        for change in event.changes:
            if change.field == "name":
                title = " ".join(change.after) or title
            elif change.field != "operator":
                lines = [line for line in lines if line not in change.before] + list(change.after)
        entries.put(entry._replace(title=title, more=_joined(lines)))


def _received(entries: Entries, message: e.MessageReceived, recorded: e.Recorded) -> None:
    """A new version that came before it stays what it says; it now stands where the message does."""
    before = entries.by_id.pop(message.said_id.hex, None) if message.edited_before else None
    call = [message.call.from_, message.call.to] if message.call else []
    fields = [f"{name}: {value}" for name, value in message.fields]
    more = _joined([*fields, *_names(message.files), *call, _of(message.sender)])
    entry = _entry(
        recorded, message.said_id, message.kind, message, message_id=message.message_id, direction=message.direction,
        title=message.subject, text=message.text or message.full_text, more=more,
    )  # fmt: skip
    entries.put(entry._replace(text=before.text, changed_at=before.changed_at) if before else entry)


def _extended(entries: Entries, event: e.MessageExtended, recorded: e.Recorded) -> None:
    message = replace(event.message, conversation_id=event.conversation_id, customer_id=event.customer_id)
    _received(entries, message, recorded)


def _replied(entries: Entries, event: e.ReplyRequested, recorded: e.Recorded) -> None:
    more = _joined([*_names(event.files), *(address.address for address in (*event.to, *event.cc, *event.bcc))])
    entry = _entry(recorded, event.reply_id, "text", event, title=event.subject, text=event.text, more=more)
    entries.put(entry._replace(direction="outbound"))


def _noted(entries: Entries, event: e.NoteAdded, recorded: e.Recorded) -> None:
    entries.put(_entry(recorded, event.note_id, "note", event, text=event.text))


def _edited(entries: Entries, event: e.MessageEdited, recorded: e.Recorded) -> None:
    at, found = to_text(recorded.occurred_at), entries.of(event.message_id.hex)
    if not found and not event.known and event.sender is not None:
        more = _joined([*_names(event.files), _of(event.sender)])
        made = _entry(recorded, event.message_id, "text", event, text=event.text or event.full_text, more=more)
        entries.put(made._replace(direction="inbound", changed_at=at))
    for entry in found[:1]:
        if entry.changed_at <= at:
            more = _joined([entry.more, *_names(event.files)])
            entries.put(entry._replace(text=event.text or event.full_text, more=more, changed_at=at))


def _deleted(entries: Entries, event: e.MessageDeleted, recorded: e.Recorded) -> None:
    for entry in entries.of(event.message_id.hex):
        del entries.by_id[entry.id]
    if not event.known:
        entries.early.add(event.message_id.hex)


def _moved(entries: Entries, event: e.MessageMoved, recorded: e.Recorded) -> None:
    to, whose = event.to_conversation_id.hex, event.to_customer_id.hex
    for entry in [entry for entry in entries.by_id.values() if entry.message_id == event.message_id.hex]:
        entries.put(entry._replace(conversation_id=to, customer_id=whose))


def _announced(entries: Entries, event: e.FilesAnnounced, recorded: e.Recorded) -> None:
    for entry in entries.of(event.message_id.hex)[:1]:
        names = [file.name for file in event.files if file.name not in entry.more]
        entries.put(entry._replace(more=_joined([entry.more, *names])))


def _quarantined(entries: Entries, event: e.InboundQuarantined, recorded: e.Recorded) -> None:
    before = entries.by_id.get(event.item_id.hex)
    more = _joined([event.external_id, *(value for _, value in event.context)])
    entry = _entry(recorded, event.item_id, "quarantine", event, title=event.reason, more=more)
    entries.put(entry._replace(position=before.position, at=before.at) if before else entry)


def _resolved(entries: Entries, event: e.QuarantineResolved, recorded: e.Recorded) -> None:
    entries.by_id.pop(event.item_id.hex, None)


_CHANGES: dict[type, Callable[[Entries, Any, e.Recorded], None]] = {
    e.CustomerRegistered: _registered,
    e.IdentityLinked: _linked,
    e.CardChanged: _card_changed,
    e.MessageReceived: _received,
    e.MessageExtended: _extended,
    e.ReplyRequested: _replied,
    e.NoteAdded: _noted,
    e.MessageEdited: _edited,
    e.MessageDeleted: _deleted,
    e.MessageMoved: _moved,
    e.FilesAnnounced: _announced,
    e.InboundQuarantined: _quarantined,
    e.QuarantineResolved: _resolved,
}
TOLD = _CHANGES.keys()
"""Types of events that say something of entries."""


def _entry(
    recorded: e.Recorded,
    id_: UUID,
    kind: str,
    event: Any,
    *,
    message_id: UUID | None = None,
    direction: str = "",
    title: str = "",
    text: str = "",
    more: str = "",
) -> Entry:
    key = id_.hex
    return Entry(
        recorded.position,
        key,
        message_id.hex if message_id is not None and message_id is not id_ else key,
        kind,
        _id(event, "customer_id"),
        _id(event, "conversation_id"),
        _id(event, "channel_id"),
        direction,
        to_text(recorded.occurred_at),
        title.replace("\x00", " "),
        text.replace("\x00", " "),
        more.replace("\x00", " "),
    )


def _id(event: Any, name: str) -> str:
    id_: UUID | None = getattr(event, name, None)
    return id_.hex if id_ else ""


def _of(address: e.Address) -> str:
    return _joined([address.name, address.address])


def _names(files: Iterable[e.File]) -> list[str]:
    return [file.name for file in files]


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(filter(None, parts)).replace("\x00", " ")
