"""What became of an entry after it was made: versions, deletion, reactions, files, a call's course, deliveries.

Kept beside the timeline and put together when it is read: so it does not matter which of the two came first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.ids import text_of
from shared.read_models import deliveries
from shared.read_models.albums import merged
from shared.read_models.entries import Body, call_fields, dumps, file_fields, part, remote_id
from shared.read_models.entries import shown as whole_of
from shared.read_models.moment import Moment

TABLE = "timeline_changes"
COLUMNS = ("position", "message_id", "kind", "body")
OURS = "ours"
"""Whose reactions are the business's own, whichever operator wanted them: on the channel one takes another's place."""
Changes = dict[str, list[tuple[str, Body]]]
"""By message, in the order they were recorded: (kind, body)."""


def schema(prefix: str) -> str:
    return f"""
    CREATE TABLE IF NOT EXISTS {prefix}{TABLE} (
        position BIGINT PRIMARY KEY, message_id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
    )
    """


def indexes(prefix: str) -> str:
    return f"CREATE INDEX IF NOT EXISTS {prefix}{TABLE}_message ON {prefix}{TABLE} (message_id)"


def change_of(recorded: e.Recorded) -> Row | None:
    """Return the row that an event adds, None for events that add none."""
    event: Any = recorded.event
    if type(event) in _CHANGES:
        return _row(recorded, event.message_id, *_CHANGES[type(event)](event, recorded))
    if hasattr(event, "reply_id") and (delivered := deliveries.told(recorded)) is not None:
        return _row(recorded, event.reply_id, deliveries.KIND, delivered)
    return None


def _row(recorded: e.Recorded, subject_id: UUID, kind: str, body: Body) -> Row:
    actor = recorded.actor
    body |= {
        "at": to_text(recorded.occurred_at),
        "by": {"kind": actor.kind, "id": actor.id, "name": actor.name or None},
    }
    return (recorded.position, text_of(subject_id), kind, dumps(body))


def _call(event: e.CallProgressed, recorded: e.Recorded) -> tuple[str, Body]:
    return "call", {"call": call_fields(event.call)}


def _part(event: e.MessageExtended, recorded: e.Recorded) -> tuple[str, Body]:
    return "part", part(event.message, recorded)


def _edited(event: e.MessageEdited, recorded: e.Recorded) -> tuple[str, Body]:
    return "edited", _version(event)


def _deleted(event: e.MessageDeleted, recorded: e.Recorded) -> tuple[str, Body]:
    return "deleted", {}


def _reacted(event: e.MessageReacted, recorded: e.Recorded) -> tuple[str, Body]:
    """`asked`: one of ours is told by the channel's answer, who wanted it by what was asked for."""
    asked = {"asked": str(recorded.cause)} if recorded.actor.kind == "system" and recorded.cause else {}
    return "reacted", {"reactions": event.reactions, **asked}


def _files_announced(event: e.FilesAnnounced, recorded: e.Recorded) -> tuple[str, Body]:
    files = [_announced(event.item_id, file) for file in event.files]
    return "announced", {"item_id": str(event.item_id), "files": files}


def _arrived(event: e.FileArrived, recorded: e.Recorded) -> tuple[str, Body]:
    return "file", file_fields(remote_id(event.item_id, event.ref), event.file)


def _missing(event: e.FileMissing, recorded: e.Recorded) -> tuple[str, Body]:
    id_ = remote_id(event.item_id, event.ref)
    return "file", {"id": str(id_), "state": "missing", "problem": event.reason}


_CHANGES: dict[type, Callable[[Any, e.Recorded], tuple[str, Body]]] = {
    e.CallProgressed: _call,
    e.MessageExtended: _part,
    e.MessageEdited: _edited,
    e.MessageDeleted: _deleted,
    e.MessageReacted: _reacted,
    e.FilesAnnounced: _files_announced,
    e.FileArrived: _arrived,
    e.FileMissing: _missing,
}


def _version(event: e.MessageEdited) -> Body:
    files = [file_fields(uuid5(event.item_id, f"attachment/{n}"), file) for n, file in enumerate(event.files)]
    texts = {"text": event.text, "full_text": event.full_text or event.text, "html": event.html or None}
    return {**texts, **({"attachments": files} if event.sender else {}), "item_id": str(event.item_id)}


def _announced(item_id: UUID, file: e.RemoteFile) -> Body:
    id_ = str(remote_id(item_id, file.ref))
    head = {"id": id_, "name": file.name, "media_type": file.media_type, "size": file.size}
    return {**head, "sha256": None, "url": None, "content_id": None, "state": "fetching", "problem": None}


# --- queries ----------------------------------------------------------------------------------------------


def changes_of(tx: Transaction, message_ids: Sequence[str], moment: Moment | None = None) -> Changes:
    """Return what became of some entries, up to a moment."""
    found: Changes = {}
    ids = list(dict.fromkeys(message_ids))
    rows = tx.rows_in(f"SELECT position, message_id, kind, body FROM {TABLE} WHERE message_id", ids)
    for position, message_id, kind, text in sorted(rows):
        body = orjson.loads(text)
        if moment is None or moment.includes(position, _at(body)):
            found.setdefault(message_id, []).append((kind, body))
    _say_who_asked(tx, [body for each in found.values() for kind, body in each if kind == "reacted"])
    return found


def _say_who_asked(tx: Transaction, reactions: Sequence[Body]) -> None:
    """Put the operator who asked for a reaction of ours in its `by`."""
    ours = [body for body in reactions if "asked" in body]
    wanted = [body["asked"] for body in ours]
    rows = tx.rows_in("SELECT id, body FROM timeline WHERE changes = 1 AND id", wanted) if ours else []
    authors = {id_: orjson.loads(text)["author"] for id_, text in rows}
    for body in ours:
        if author := authors.get(body["asked"]):
            body["by"] = {"kind": author["kind"], "id": OURS, "name": author["name"]}


def positions_of(tx: Transaction, message_id: UUID, limit: int) -> list[int]:
    """Return the positions of the first events that told what became of an entry."""
    sql = f"SELECT position FROM {TABLE} WHERE message_id = ? ORDER BY position LIMIT ?"
    return [position for (position,) in tx.rows(sql, (str(message_id), limit))]


def parts_of(bodies: Sequence[Body], became: Changes) -> Iterator[str]:
    """Return the ids of the parts that messages consist of."""
    for body in bodies:
        if "part" in body:
            yield body["part"]
            yield from (each["part"] for each in _of_kind(became.get(body["id"], ()), "part"))


def as_it_is(shown: Body, changes: Sequence[tuple[str, Body]], of_parts: Changes) -> Body:
    """PURE: return a message with what became of it and of its parts."""
    if "part" in shown:
        shown = together(shown, _of_kind(changes, "part"), of_parts)
        changes = [change for change in changes if change[0] != "part"]
    return changed(shown, changes) if changes else shown


def changed(shown: Body, changes: Sequence[tuple[str, Body]]) -> Body:
    """PURE: return a message as it is after its changes, in whatever order they were recorded."""
    if shown["delivery"]:
        shown = deliveries.as_told(shown, [body for kind, body in changes if kind == deliveries.KIND])
    if calls := [body for kind, body in changes if kind == "call"]:
        shown = {**shown, "call": calls[-1]["call"], "occurred_at": _began(shown, calls)}
    shown = _newest_version(shown, _of_kind(changes, "edited"), _announcements(changes))
    shown["reactions"] = shown["reactions"] + _reactions(_of_kind(changes, "reacted"))
    if deletions := _of_kind(changes, "deleted"):
        gone: Body = {"text": "", "full_text": "", "html": None, "attachments": [], "versions": []}
        shown = {**shown, **gone, "deleted_at": _at(deletions[0])}
    return shown


def _began(shown: Body, calls: Sequence[Body]) -> str:
    """Return when a call was first heard of, by the channel's clock: whichever of its webhooks came first."""
    started_at = calls[-1]["call"]["started_at"]
    moments: list[str] = [shown["occurred_at"], *map(_at, calls)]
    return min([*moments, started_at] if started_at else moments)


def together(first: Body, further: Sequence[Body], of_parts: Changes) -> Body:
    """PURE: return one message of its parts, each with what became of it, in whichever order they came."""
    return merged(first, [changed(whole_of(each), of_parts.get(each["part"], ())) for each in (first, *further)])


def _of_kind(changes: Sequence[tuple[str, Body]], wanted: str) -> list[Body]:
    """Return the changes of a kind by the channel's clock; those of the same moment as they were recorded."""
    return sorted((body for kind, body in changes if kind == wanted), key=_at)


def _announcements(changes: Sequence[tuple[str, Body]]) -> dict[str, list[Body]]:
    """Return the files that were announced by each item, as far as they have come."""
    came = {body["id"]: body for body in _of_kind(changes, "file")}
    found: dict[str, list[Body]] = {}
    for kind, body in changes:
        if kind == "announced":
            files = [_as_it_came(file, came.get(file["id"], {})) for file in body["files"]]
            found.setdefault(body["item_id"], []).extend(files)
    return found


def _as_it_came(file: Body, came: Body) -> Body:
    if came.get("sha256"):
        return {name: came[name] for name in ("id", "name", "media_type", "size", "sha256", "url")}
    return {**file, **{name: came[name] for name in ("state", "problem") if name in came}}


def _newest_version(shown: Body, edits: list[Body], announced: dict[str, list[Body]]) -> Body:
    edited = {edit["item_id"]: edit for edit in edits}
    for item_id, files in announced.items():
        owner = edited.get(item_id, shown)
        owner["attachments"] = [*owner.get("attachments", ()), *files]
    if shown.get("call"):
        heard = [file["url"] for file in shown["attachments"] if file["url"]]
        shown["call"] = {**shown["call"], "recording": heard[0] if heard else shown["call"]["recording"]}
    if not edits:
        return shown
    stands_in = shown.pop("stands_in", False)
    first = {name: shown[name] for name in ("text", "full_text", "html", "attachments")}
    versions = [] if stands_in else [{**first, "at": shown["occurred_at"]}]
    for edit in edits:  # one of ours says nothing of files: they stay
        versions.append({**first, **{name: edit[name] for name in (*first, "at") if name in edit}})
    newest = versions.pop()
    return {**shown, **{name: newest[name] for name in first}, "edited_at": newest["at"], "versions": versions}


def _reactions(told: list[Body]) -> list[Body]:
    """Return what each person thinks of it now."""
    by_person: dict[tuple[Any, ...], Body] = {}
    for body in told:
        by = body["by"]
        by_person[by["kind"], by["id"]] = {
            "author": {"kind": by["kind"], "name": by["name"]}, "reactions": body["reactions"], "at": body["at"]
        }  # fmt: skip
    return [body for body in by_person.values() if body["reactions"]]


def _at(body: Body) -> str:
    at: str = body["at"]
    return at
