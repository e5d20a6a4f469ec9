"""PURE: how chats and messages of Telegram are named in Okno: thread keys and external ids.

A thread is a chat, with its topic and the business connection it is answered by: `-100123;topic=5`, `77;business=abc`.
A message is its thread's chat and its number: `77:15`, `abc/77:15` for a business chat; a text or an album that took
several messages has all their numbers: `77:15,16,17`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_THREAD = re.compile(r"(-?\d+)((?:;(?:topic|direct|business)=[A-Za-z0-9_-]+)*)")
_MESSAGE = re.compile(r"(?:([A-Za-z0-9_-]+)/)?(-?\d+):(\d+(?:,\d+)*)")


@dataclass(frozen=True, slots=True)
class Thread:
    chat_id: int
    topic: int = 0
    """A forum topic."""
    direct: int = 0
    """A topic of a channel's direct messages."""
    business: str = ""

    def __str__(self) -> str:
        parts = [str(self.chat_id)]
        parts += [f"topic={self.topic}"] if self.topic else []
        parts += [f"direct={self.direct}"] if self.direct else []
        parts += [f"business={self.business}"] if self.business else []
        return ";".join(parts)

    @classmethod
    def parse(cls, key: str) -> Thread:
        """Raises ValueError for what is no thread of Telegram."""
        found = _THREAD.fullmatch(key)
        if found is None:
            raise ValueError(f"not a thread of Telegram: {key!r}")
        more = dict(part.split("=", 1) for part in found[2].split(";") if part)
        return cls(int(found[1]), int(more.get("topic", 0)), int(more.get("direct", 0)), more.get("business", ""))


@dataclass(frozen=True, slots=True)
class Message:
    """One or several messages of a chat that are one in Okno."""

    chat_id: int
    ids: tuple[int, ...]
    business: str = ""

    def __str__(self) -> str:
        prefix = f"{self.business}/" if self.business else ""
        return f"{prefix}{self.chat_id}:{','.join(map(str, self.ids))}"

    @property
    def each(self) -> tuple[str, ...]:
        """The external ids of its messages one by one."""
        return tuple(str(Message(self.chat_id, (id_,), self.business)) for id_ in self.ids)

    @classmethod
    def parse(cls, external_id: str) -> Message:
        """Raises ValueError for what is no message of Telegram."""
        found = _MESSAGE.fullmatch(external_id)
        if found is None:
            raise ValueError(f"not a message of Telegram: {external_id!r}")
        return cls(int(found[2]), tuple(int(id_) for id_ in found[3].split(",")), found[1] or "")
