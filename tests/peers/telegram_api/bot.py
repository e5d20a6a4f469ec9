"""What the server knows of one bot: its updates until they are confirmed, its chats, messages and files."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.peers.telegram_api.spec import load

Json = dict[str, Any]
DAY_SECONDS = 24 * 3600
FAR_FUTURE = 10
"""An offset further than this behind the newest update is taken for none, as the official server does."""
FIRST_SENT_ID = 50_001
"""Messages of the bot are numbered from here in every chat; those of users should stay below."""
BOT_USERNAME = "okno_test_bot"


@dataclass(slots=True)
class Webhook:
    url: str = ""
    secret: str = ""
    max_connections: int = 40
    last_error_at: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Updates the bot will never see again, when that was, and how it said so."""

    update_ids: tuple[int, ...]
    at: float
    by: str


@dataclass(slots=True)
class Bot:
    """One bot. `push` is called in the server's loop; everything else is to be read."""

    token: str
    next_id: int = 100_000_000
    updates: deque[Json] = field(default_factory=deque)
    history: list[Json] = field(default_factory=list)
    confirmed: list[Confirmed] = field(default_factory=list)
    on_confirm: Callable[[tuple[int, ...]], None] | None = None
    """Called before updates are forgotten: what is confirmed must be durable by then."""
    violations: list[str] = field(default_factory=list)
    chats: dict[int, Json] = field(default_factory=dict)
    messages: dict[tuple[str, int, int], Json] = field(default_factory=dict)
    """By business connection, chat and message id."""
    sent: list[Json] = field(default_factory=list)
    deleted: list[tuple[int, int]] = field(default_factory=list)
    reactions: dict[tuple[int, int], list[Json]] = field(default_factory=dict)
    actions: list[tuple[int, str]] = field(default_factory=list)
    answered_queries: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    local_folder: Path | None = None
    """Where a server of one's own puts files (--local): it tells the path and knows no limit."""
    webhook: Webhook = field(default_factory=Webhook)
    allowed_updates: list[str] = field(default_factory=list)
    privacy: bool = True
    news: asyncio.Event = field(default_factory=asyncio.Event)
    poller: asyncio.Future[None] | None = None
    _message_ids: dict[int, itertools.count[int]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])

    @property
    def me(self) -> Json:
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": "Okno test",
            "username": BOT_USERNAME,
            "can_join_groups": True,
            "can_read_all_group_messages": not self.privacy,
            "supports_inline_queries": False,
            "can_connect_to_business": True,
            "has_main_web_app": False,
        }

    def confirmed_ids(self) -> list[int]:
        return [update_id for each in self.confirmed for update_id in each.update_ids]

    def push(self, kind: str, body: Json, *, checked: bool = True) -> int:
        """Queue an update; its id. What the spec does not know raises AssertionError unless not `checked`."""
        update = {"update_id": self.next_id, kind: body}
        if checked:
            wrong = load().object(["Update"], update)
            assert not wrong, wrong
        if isinstance(chat := body.get("chat"), dict):
            self.chats.setdefault(chat["id"], chat)
            if message_id := body.get("message_id"):
                self.messages[body.get("business_connection_id", ""), chat["id"], message_id] = body
        self.next_id += 1
        self.updates.append(update)
        self.history.append(update)
        self.news.set()
        return int(update["update_id"])

    def restart_ids(self, first: int) -> None:
        """What happens after a week without updates: the next id is another one, here `first`."""
        self.next_id = first

    def redeliver(self, count: int) -> None:
        """Give the last `count` updates once more, as if they had never been confirmed."""
        waiting = {update["update_id"] for update in self.updates}
        again = [update for update in self.history[-count:] if update["update_id"] not in waiting]
        self.updates = deque([*again, *self.updates])
        self.news.set()

    def after(self, offset: int, limit: int) -> list[Json]:
        """Forget what is before `offset`, give what is left."""
        newest = self.updates[-1]["update_id"] if self.updates else self.next_id - 1
        if offset < 0:
            offset = newest + 1 + offset
        if 0 < offset <= newest + FAR_FUTURE:
            self.confirm([u["update_id"] for u in self.updates if u["update_id"] < offset], f"offset {offset}")
        return list(itertools.islice(self.updates, limit))

    def confirm(self, update_ids: list[int], by: str) -> None:
        if not update_ids:
            return
        if self.on_confirm:
            self.on_confirm(tuple(update_ids))
        self.confirmed.append(Confirmed(tuple(update_ids), time.time(), by))
        gone = set(update_ids)
        self.updates = deque(u for u in self.updates if u["update_id"] not in gone)

    def new_message_id(self, chat_id: int) -> int:
        counter = self._message_ids.get(chat_id)
        if counter is None:
            counter = self._message_ids[chat_id] = itertools.count(FIRST_SENT_ID)
        return next(counter)


def private_chat(user_id: int, name: str = "Анна") -> Json:
    return {"id": user_id, "type": "private", "first_name": name}


def user(user_id: int, name: str = "Анна") -> Json:
    return {"id": user_id, "is_bot": False, "first_name": name, "language_code": "ru"}


def message(chat_id: int, message_id: int, text: str = "", /, **more: Any) -> Json:
    """A message from the user `chat_id` in their private chat; `more` adds and overrides fields."""
    body: Json = {
        "message_id": message_id,
        "from": user(chat_id),
        "chat": private_chat(chat_id),
        "date": int(time.time()),
    }
    return {**body, **({"text": text} if text else {}), **more}
