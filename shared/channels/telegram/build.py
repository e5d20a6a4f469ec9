"""PURE: a reply -> the calls of the Bot API that say it, in their order. The bytes of files come later."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.channels.telegram.markdown import Formatted, formatted
from shared.channels.telegram.places import Message, Thread
from shared.channels.telegram.split import CAPTION_UNITS, TEXT_UNITS, split
from shared.contracts.inbound import FileRef
from shared.contracts.outbound import OutboundReply

PHOTO_BYTES = 10 * 1024 * 1024
UPLOAD_BYTES = 50 * 1024 * 1024
"""What Telegram's own server takes; one's own takes 2,000 MB."""
ALBUM = 10
_PHOTOS = ("image/jpeg", "image/png", "image/webp")
_VOICES = ("audio/ogg", "audio/opus")
_ALBUMS = {"photo": "visual", "video": "visual", "document": "document", "audio": "audio"}


class CannotBuild(Exception):
    """The reply cannot be said on Telegram; the text says why."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Where the bytes of a file go."""

    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """One method of the Bot API with its parameters."""

    method: str
    params: dict[str, object]


def thread_of(reply: OutboundReply) -> Thread:
    """Return where the reply goes: the provider's thread, else the chat of its recipient. Raises CannotBuild."""
    keys = [reply.thread_key, *(each.address for each in reply.to if each.kind == "telegram")]
    for key in keys:
        try:
            return Thread.parse(key)
        except ValueError:
            continue
    raise CannotBuild("the reply has no chat of Telegram to go to")


def build(reply: OutboundReply, has_own_server: bool = False) -> list[Call]:
    """Return the calls of a reply. Raises CannotBuild."""
    match reply.action:
        case "message":
            return _say(reply, thread_of(reply), has_own_server)
        case "edit":
            return _edit(reply, _target(reply))
        case "delete":
            return _delete(_target(reply))
        case "react":
            return _react(reply, _target(reply))
        case "call":
            raise CannotBuild("a bot cannot call anybody")


def typing(thread: Thread) -> Call:
    """Show the client that somebody is writing; Telegram shows it for five seconds."""
    return Call("sendChatAction", {**_business(thread.business), **_to(thread), "action": "typing"})


# --- saying something -------------------------------------------------------------------------------------


def _say(reply: OutboundReply, thread: Thread, has_own_server: bool) -> list[Call]:
    groups = _groups(reply.files, has_own_server)
    pieces = split(_text(reply), _limits(bool(groups)))
    if not pieces and not groups:
        raise CannotBuild("there is nothing to send: no text and no file")
    caption = pieces.pop(0) if groups and pieces else Formatted("")
    place = {**_business(thread.business), **_to(thread)}
    calls = []
    for number, group in enumerate(groups):
        calls.append(_files(place, group, caption if number == 0 else Formatted("")))
    calls += [Call("sendMessage", {**place, "text": piece.text, **_entities("entities", piece)}) for piece in pieces]
    if answered := _reply_parameters(reply, thread):
        calls[0].params["reply_parameters"] = answered
    return calls


def _text(reply: OutboundReply) -> Formatted:
    if reply.markup == "markdown":
        return formatted(reply.text)
    return Formatted(reply.text.strip())


def _limits(has_caption: bool) -> Iterator[int]:
    return itertools.chain([CAPTION_UNITS] if has_caption else [], itertools.repeat(TEXT_UNITS))


def _to(thread: Thread) -> dict[str, object]:
    place: dict[str, object] = {"chat_id": thread.chat_id}
    if thread.topic:
        place["message_thread_id"] = thread.topic
    if thread.direct:
        place["direct_messages_topic_id"] = thread.direct
    return place


def _business(connection: str) -> dict[str, object]:
    return {"business_connection_id": connection} if connection else {}


def _entities(name: str, piece: Formatted) -> dict[str, object]:
    return {name: [entity.as_json() for entity in piece.entities]} if piece.entities else {}


def _reply_parameters(reply: OutboundReply, thread: Thread) -> dict[str, object] | None:
    """Answer a message that was picked, in a group the last one; gone or not, the answer is to be said.

    In a private chat everybody sees what an answer answers: it would only repeat it.
    """
    try:
        answered = Message.parse(reply.target or (reply.in_reply_to if thread.chat_id < 0 else ""))
    except ValueError:
        return None
    if answered.chat_id != thread.chat_id or answered.business != thread.business:
        return None
    return {"message_id": answered.ids[0], "allow_sending_without_reply": True}


# --- files ------------------------------------------------------------------------------------------------


def _groups(files: Sequence[FileRef], has_own_server: bool) -> list[list[tuple[str, FileRef]]]:
    """Return what is sent together: neighbours that may share an album, ten at most."""
    groups: list[list[tuple[str, FileRef]]] = []
    for file in files:
        if file.size > UPLOAD_BYTES and not has_own_server:
            limit = UPLOAD_BYTES // 1024 // 1024
            raise CannotBuild(f"{file.name} is larger than {limit} MB, the most Telegram takes from a bot")
        if not file.size:
            raise CannotBuild(f"{file.name} is empty, which Telegram does not take")
        kind = _kind(file)
        fits = groups and len(groups[-1]) < ALBUM and kind in _ALBUMS
        if fits and _ALBUMS.get(groups[-1][0][0]) == _ALBUMS[kind]:
            groups[-1].append((kind, file))
        else:
            groups.append([(kind, file)])
    return groups


def _kind(file: FileRef) -> str:
    media_type = file.media_type.partition(";")[0].strip().lower()
    if media_type in _PHOTOS and file.size <= PHOTO_BYTES:
        return "photo"
    if media_type in _VOICES:
        return "voice"
    if media_type == "image/gif":
        return "animation"
    if media_type == "video/mp4":
        return "video"
    return "audio" if media_type in ("audio/mpeg", "audio/mp4", "audio/x-m4a") else "document"


def _files(place: dict[str, object], group: list[tuple[str, FileRef]], caption: Formatted) -> Call:
    words: dict[str, object] = {"caption": caption.text, **_entities("caption_entities", caption)}
    words = words if caption.text else {}
    if len(group) == 1:
        kind, file = group[0]
        return Call(f"send{kind.title()}", {**place, kind: Upload(file.sha256, _name(file)), **words})
    media = [{"type": kind, "media": Upload(file.sha256, _name(file))} for kind, file in group]
    media[0] |= words
    return Call("sendMediaGroup", {**place, "media": media})


def _name(file: FileRef) -> str:
    return file.name.replace("/", "_").replace("\r", " ").replace("\n", " ").strip() or "file"


# --- changing what was said -------------------------------------------------------------------------------


def _target(reply: OutboundReply) -> Message:
    try:
        return Message.parse(reply.target)
    except ValueError as error:
        raise CannotBuild(f"not a message of Telegram: {reply.target!r}") from error


def _edit(reply: OutboundReply, target: Message) -> list[Call]:
    """A text that took several messages is spread over them again; what is left over goes away."""
    pieces = split(_text(reply), itertools.repeat(TEXT_UNITS))
    if not pieces:
        raise CannotBuild("an edited message needs a text")
    if len(pieces) > len(target.ids):
        raise CannotBuild("the new text is too long for the messages that were sent: send a further message")
    calls = [
        Call(
            "editMessageText",
            {
                **_business(target.business),
                "chat_id": target.chat_id,
                "message_id": id_,
                "text": piece.text,
                **_entities("entities", piece),
            },
        )
        for id_, piece in zip(target.ids, pieces, strict=False)
    ]
    left = target.ids[len(pieces) :]
    return calls + (_delete(Message(target.chat_id, left, target.business)) if left else [])


def _delete(target: Message) -> list[Call]:
    if target.business:
        params = {**_business(target.business), "message_ids": list(target.ids)}
        return [Call("deleteBusinessMessages", params)]
    return [Call("deleteMessage", {"chat_id": target.chat_id, "message_id": id_}) for id_ in target.ids]


def _react(reply: OutboundReply, target: Message) -> list[Call]:
    if target.business:
        raise CannotBuild("a bot cannot react in the name of a business account")
    emoji = reply.text.strip()
    reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
    params: dict[str, object] = {"chat_id": target.chat_id, "message_id": target.ids[0], "reaction": reaction}
    return [Call("setMessageReaction", params)]
