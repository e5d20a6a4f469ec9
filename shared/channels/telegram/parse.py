"""PURE: one update, as JSON -> Parsed. Whatever it holds becomes something: unknown kinds are kept and shown.

Only bytes that are no JSON object raise UnreadableItem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from shared.channels.telegram import config, notices
from shared.channels.telegram.content import UNSUPPORTED, content, own_phone, poll_words
from shared.channels.telegram.places import Thread
from shared.channels.telegram.view import Json, decoded, obj, objs, person, text, whole, wholes
from shared.channels.telegram.where import KIND, NOBODY, Where
from shared.connector import Channel
from shared.contracts.inbound import About, Address, Deleted, Edited, ReachChanged, Reacted, ThreadRenamed
from shared.parsed import Parsed, RawItem, UnreadableItem

NOT_A_CHAT = "This was told by Telegram itself: there is nobody to answer."
_COMMENT_CHARACTERS = 200


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return what the update says. Raises UnreadableItem for what is no JSON object."""
    try:
        update = decoded(item.data)
    except (ValueError, RecursionError) as error:
        raise UnreadableItem(f"not JSON: {error}") from error
    if not isinstance(update, dict):
        raise UnreadableItem("not an update: no JSON object")
    return _Reader(update, item, channel).read()


def thread_of(update: Json) -> str:
    """Return what must keep its order with the update: its chat, or the person it comes from."""
    body = _body(update)[1]
    chat = obj(body, "chat") or obj(obj(body, "message"), "chat")
    return str(whole(chat, "id") or whole(obj(body, "from") or obj(body, "user"), "id"))


def _body(update: Json) -> tuple[str, Json]:
    """Return the one field of an update that is not its id; of several the first that we know."""
    known = [(kind, body) for kind in _KINDS if isinstance(body := update.get(kind), dict)]
    others = [(kind, body) for kind, body in update.items() if isinstance(body, dict)]
    return next(iter([*known, *others]), ("", {}))


class _Reader:
    """Reads one update."""

    def __init__(self, update: Json, item: RawItem, channel: Channel) -> None:
        self.update, self.item = update, item
        self.kind, self.body = _body(update)
        username = item.context.get("username") or channel.settings["username"]
        self.where = Where(self.body, config.bot_id(channel.settings["token"]), username)

    def read(self) -> Parsed:
        if notice := notices.words(self.update):
            return replace(self.nobody(notice), external_id=self.item.key, dedup_key=self.item.key)
        return _KINDS.get(self.kind, _Reader.unknown)(self)

    # --- messages ---------------------------------------------------------------------------------------

    def message(self) -> Parsed:
        message = self.body
        if not whole(message, "message_id") or not whole(obj(message, "chat"), "id"):
            return self.unknown()
        if renamed := self.migrated():
            return renamed
        said = content(message)
        written_by = self.where.written_by()
        return Parsed(
            external_id=self.where.external_id(whole(message, "message_id")),
            sender=self.where.client(),
            occurred_at=self.at("date"),
            text=said.text,
            full_text=f"{said.quoted}\n\n{said.text}" if said.quoted else "",
            html=said.html,
            direction="outbound" if self.where.is_ours() else "inbound",
            refers_to=self.where.answered(),
            part_of=self.where.album(),
            thread_key=str(self.where.thread()),
            fields=(("Written by", written_by), *said.fields) if written_by else said.fields,
            vouched=self.vouched(),
            nature=self.where.nature(said.is_service),
            remote_files=said.files,
        )

    def edited(self) -> Parsed:
        parsed = self.message()
        if not whole(self.body, "message_id"):
            return parsed
        edit = f"{parsed.external_id}/edited/{whole(self.body, 'edit_date')}/{self.digest()}"
        about = About(edited=Edited(parsed.external_id))
        return replace(parsed, dedup_key=edit, occurred_at=self.at("edit_date"), about=about)

    def migrated(self) -> Parsed | None:
        """A group became a supergroup: told once in the old chat and once in the new."""
        here = whole(obj(self.body, "chat"), "id")
        old, new = whole(self.body, "migrate_from_chat_id"), whole(self.body, "migrate_to_chat_id")
        if not (old or new):
            return None
        old, new = old or here, new or here
        return Parsed(
            external_id=f"{old}/migrated/{new}",
            sender=Address(KIND, str(old), self.where.client().name),
            occurred_at=self.at("date"),
            text="The group became a supergroup",
            thread_key=str(Thread(new)),
            vouched=(Address(KIND, str(new)),),
            nature="automatic",
            about=About(renamed=ThreadRenamed(str(Thread(old)))),
        )

    def deleted(self) -> Parsed:
        ids = tuple(self.where.external_id(id_) for id_ in wholes(self.body, "message_ids"))
        return self.told("The client deleted messages", About(deleted=Deleted(ids)))

    # --- what clients do besides writing ----------------------------------------------------------------

    def reaction(self) -> Parsed:
        reactions = tuple(filter(None, map(_reaction, objs(self.body, "new_reaction"))))
        return self.reacted(reactions)

    def reaction_count(self) -> Parsed:
        """Reactions of a channel's readers, who stay unknown."""
        counted = [
            f"{_reaction(obj(each, 'type'))} ×{whole(each, 'total_count')}" for each in objs(self.body, "reactions")
        ]
        return self.reacted(tuple(counted))

    def reacted(self, reactions: tuple[str, ...]) -> Parsed:
        target = self.where.external_id(whole(self.body, "message_id"))
        words = f"Reacted: {' '.join(reactions)}" if reactions else "Withdrew the reaction"
        return replace(self.told(words, About(reacted=Reacted(target, reactions))), refers_to=(target,))

    def pressed(self) -> Parsed:
        """A button below a message; what it says is looked up in the message."""
        message, data = obj(self.body, "message"), text(self.body, "data")
        rows = obj(message, "reply_markup").get("inline_keyboard")
        buttons = [b for row in rows if isinstance(row, list) for b in row] if isinstance(rows, list) else []
        labels = [text(b, "text") for b in buttons if isinstance(b, dict) and text(b, "callback_data") == data]
        pressed = next(iter(labels), data) or text(self.body, "game_short_name")
        self.where = self.where.at_message(message)
        told = self.told(f"Pressed: {pressed}", None)
        target = whole(message, "message_id")
        fields = (("Button", data),) if data and data != pressed else ()
        return replace(
            told, nature="ordinary", fields=fields, refers_to=(self.where.external_id(target),) if target else ()
        )

    def membership(self) -> Parsed:
        """The bot was blocked, unblocked, let in or thrown out."""
        before, after = (text(obj(self.body, f"{age}_chat_member"), "status") for age in ("old", "new"))
        is_private = text(obj(self.body, "chat"), "type") == "private"
        if after in ("kicked", "left"):
            words = "blocked the bot" if is_private else "the bot was removed from the group"
            return self.told(words.capitalize(), About(reach=ReachChanged(False, words)))
        if before in ("kicked", "left", ""):
            words = "started or unblocked the bot" if is_private else "the bot was added to the group"
            return self.told(words.capitalize(), About(reach=ReachChanged(True, words)))
        return self.told(f"The bot is now {after} of the chat", None)

    def connection(self) -> Parsed:
        is_on = self.body.get("is_enabled") is True
        rights = obj(self.body, "rights")
        may = is_on and (rights.get("can_reply") is True or self.body.get("can_reply") is True)
        words = f"Business account {'connected' if is_on else 'disconnected'}"
        return self.told(words + ("" if may or not is_on else ", without the right to answer"), None)

    def poll(self) -> Parsed:
        return replace(self.nobody(poll_words(self.body)), external_id=self.identity())

    def poll_answer(self) -> Parsed:
        options = self.body.get("option_ids")
        numbers = [each for each in options if type(each) is int] if isinstance(options, list) else []
        chosen = ", ".join(str(number + 1) for number in numbers)
        return self.told(f"Voted in a poll: {chosen or 'withdrawn'}", None)

    def inline(self) -> Parsed:
        return self.told(f"Searched inline: {text(self.body, 'query')}", None)

    def joined(self) -> Parsed:
        return self.told(f"Asks to join {person(obj(self.body, 'chat'))}", None)

    def member(self) -> Parsed:
        who = person(obj(obj(self.body, "new_chat_member"), "user"))
        return self.told(f"{who} is now {text(obj(self.body, 'new_chat_member'), 'status')}", None)

    def boost(self) -> Parsed:
        return self.told("Boosted the chat" if self.kind == "chat_boost" else "Took back a boost", None)

    def unknown(self) -> Parsed:
        return self.told(f"{UNSUPPORTED} {self.kind[:_COMMENT_CHARACTERS]}".strip(), None)

    # --- parts ------------------------------------------------------------------------------------------

    def told(self, words: str, about: About | None) -> Parsed:
        """Something that is no message: it has no id of its own, so the update's id and content tell it apart."""
        client = self.where.client()
        if client.address == NOBODY:
            return replace(self.nobody(words), about=about, external_id=self.identity())
        return Parsed(
            external_id=self.identity(),
            sender=client,
            occurred_at=self.at("date"),
            text=words,
            thread_key=str(self.where.thread()),
            nature="automatic",
            about=about,
        )

    def nobody(self, words: str) -> Parsed:
        return Parsed(
            external_id=self.item.key,
            sender=Address(KIND, NOBODY, "Telegram"),
            occurred_at=self.at("date"),
            text=words,
            thread_key=NOBODY,
            cannot_reply=NOT_A_CHAT,
            nature="automatic",
        )

    def identity(self) -> str:
        return f"update/{whole(self.update, 'update_id')}/{self.digest()}"

    def digest(self) -> str:
        body = {name: value for name, value in self.update.items() if name != "update_id"}
        return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()[:16]

    def vouched(self) -> tuple[Address, ...]:
        """The phone number in one's own contact card; in a group it would be the group's."""
        phone = own_phone(self.body)
        if not phone or str(whole(obj(self.body, "from"), "id")) != self.where.client().address:
            return ()
        return (Address("phone", phone, person(obj(self.body, "contact"))),)

    def at(self, name: str) -> datetime:
        seconds = whole(self.body, name)
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 1 << 37 else self.item.received_at


def _reaction(reaction: Json) -> str:
    match text(reaction, "type"):
        case "emoji":
            return text(reaction, "emoji")
        case "custom_emoji":
            return "custom emoji"
        case "paid":
            return "⭐"
        case _:
            return ""


_KINDS: dict[str, Callable[[_Reader], Parsed]] = {
    "message": _Reader.message,
    "edited_message": _Reader.edited,
    "channel_post": _Reader.message,
    "edited_channel_post": _Reader.edited,
    "business_message": _Reader.message,
    "edited_business_message": _Reader.edited,
    "guest_message": _Reader.message,
    "deleted_business_messages": _Reader.deleted,
    "business_connection": _Reader.connection,
    "message_reaction": _Reader.reaction,
    "message_reaction_count": _Reader.reaction_count,
    "callback_query": _Reader.pressed,
    "my_chat_member": _Reader.membership,
    "chat_member": _Reader.member,
    "chat_join_request": _Reader.joined,
    "chat_boost": _Reader.boost,
    "removed_chat_boost": _Reader.boost,
    "poll": _Reader.poll,
    "poll_answer": _Reader.poll_answer,
    "inline_query": _Reader.inline,
    "chosen_inline_result": _Reader.inline,
}
