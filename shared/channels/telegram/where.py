"""PURE: where something happened and who did it: thread, client, message ids, and whether the bot is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.channels.telegram.places import Message, Thread
from shared.channels.telegram.view import Json, obj, objs, person, text, whole
from shared.contracts.inbound import Address, Nature

KIND = "telegram"
NOBODY = "service"
"""The thread of what belongs to no chat, and the address of who tells it."""
_GROUPS = ("group", "supergroup", "channel")
_PLACE = ("chat", "message_thread_id", "is_topic_message", "business_connection_id", "direct_messages_topic")


@dataclass(frozen=True, slots=True)
class Where:
    """`body` is the update's own part; `bot_id` 0 and `username` empty where they are not known."""

    body: Json
    bot_id: int
    username: str

    def at_message(self, message: Json) -> Where:
        """Return the same doer at the place of `message`."""
        place = {name: message[name] for name in _PLACE if name in message}
        return replace(self, body={**self.body, **place})

    def external_id(self, message_id: int) -> str:
        chat = whole(obj(self.body, "chat"), "id")
        return str(Message(chat, (message_id,), _safe(text(self.body, "business_connection_id"))))

    def thread(self) -> Thread:
        body = self.body
        chat_id = whole(obj(body, "chat"), "id") or whole(self.who(), "id")
        topic = whole(body, "message_thread_id") if body.get("is_topic_message") is True else 0
        direct = whole(obj(body, "direct_messages_topic"), "topic_id")
        return Thread(chat_id, max(topic, 0), max(direct, 0), _safe(text(body, "business_connection_id")))

    def who(self) -> Json:
        """Who did it: a person, or a chat that speaks for itself."""
        body = self.body
        return obj(body, "sender_chat") or obj(body, "from") or obj(body, "user") or obj(body, "actor_chat")

    def client(self) -> Address:
        """Return whose timeline this is on: the person of a private chat, a group as a whole."""
        chat = obj(self.body, "chat")
        if text(chat, "type") in _GROUPS and whole(chat, "id"):
            author, title = person(self.who()), text(chat, "title")
            name = author if not title or author == person(chat) else f"{author} ({title})" if author else title
            return Address(KIND, str(whole(chat, "id")), name)
        if whole(chat, "id"):
            partner = self.who() if whole(self.who(), "id") == whole(chat, "id") else {}
            return Address(KIND, str(whole(chat, "id")), person(partner) or person(chat))
        if whole(self.who(), "id"):
            return Address(KIND, str(whole(self.who(), "id")), person(self.who()))
        return Address(KIND, NOBODY, "Telegram")

    def answered(self) -> tuple[str, ...]:
        """The message this one replies to. In a topic every message replies to the one that opened it."""
        target = whole(obj(self.body, "reply_to_message"), "message_id")
        opened = whole(self.body, "message_thread_id") if self.body.get("is_topic_message") is True else 0
        return (self.external_id(target),) if target and target != opened else ()

    def album(self) -> str:
        """What the parts of an album have in common."""
        group = text(self.body, "media_group_id")
        return f"{whole(obj(self.body, 'chat'), 'id')}/album/{group}" if group else ""

    def is_ours(self) -> bool:
        """Written in the name of the business, whose own account a business chat shows, too."""
        writer, chat = whole(obj(self.body, "from"), "id"), obj(self.body, "chat")
        if "business_connection_id" in self.body:
            return writer not in (0, whole(chat, "id"))
        return writer == self.bot_id != 0

    def written_by(self) -> str:
        """Whoever of the business wrote from its own account; empty for a client, whose name the sender has."""
        return person(obj(self.body, "from")) if self.is_ours() else ""

    def nature(self, is_service: bool) -> Nature:
        """loop: our own answer come back. What is said in a group but not to the bot waits for no answer.

        Nor is what a business account says by itself (an away message) an answer, though it is ours.
        """
        body = self.body
        if whole(obj(body, "sender_business_bot"), "id") == self.bot_id != 0 or (
            self.is_ours() and "business_connection_id" not in body
        ):
            return "loop"
        if body.get("is_from_offline") is True and self.is_ours():
            return "automatic"
        if is_service or (text(obj(body, "chat"), "type") in _GROUPS and not self.is_addressed()):
            return "automatic"
        return "ordinary"

    def is_addressed(self) -> bool:
        """A group speaks to the bot by answering it, naming it, or giving it a command."""
        body = self.body
        if whole(obj(obj(body, "reply_to_message"), "from"), "id") == self.bot_id != 0:
            return True
        if obj(body, "chat").get("is_direct_messages") is True:
            return True
        said = (text(body, "text") or text(body, "caption")).lower()
        username = self.username.removeprefix("@").lower()
        named = username and f"@{username}" in said
        marks = objs(body, "entities") + objs(body, "caption_entities")
        mentioned = any(whole(obj(mark, "user"), "id") == self.bot_id != 0 for mark in marks)
        commanded = said.startswith("/") and "@" not in said.split()[0]
        return bool(named or mentioned or commanded)


def _safe(connection: str) -> str:
    """A connection's id as it may stand in a thread key."""
    return connection if connection.replace("-", "").replace("_", "").isalnum() and connection.isascii() else ""
