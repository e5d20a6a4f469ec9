"""What goes wrong next with the Telegram peer. Each call adds to what waits; `clear` makes it well again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


class Answer(Exception):
    """An error of the Bot API instead of a result."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


class Cut(Exception):
    """The connection is cut instead of answered."""


class Html(Exception):
    """A page of the proxy before the server: 502."""


@dataclass(slots=True)
class _Fault:
    error: Exception
    method: str
    chat_id: int | None
    times: int
    after: bool
    """The method does its work first."""

    def fits(self, method: str, params: dict[str, Any]) -> bool:
        return self.times > 0 and self.method in ("", method) and self.chat_id in (None, params.get("chat_id"))


@dataclass(slots=True)
class Faults:
    """`method` "" is any but getUpdates; `chat_id` None is any chat."""

    delay_seconds: float = 0.0
    waiting: list[_Fault] = field(default_factory=list)
    floods: dict[int, float] = field(default_factory=dict)
    too_early: list[tuple[int, float]] = field(default_factory=list)
    """Calls made to a chat before its retry_after had passed, and how many seconds too early."""

    def answer(
        self, code: int, text: str, *, method: str = "", chat_id: int | None = None, times: int = 1, **parameters: int
    ) -> None:
        """For instance answer(403, "Forbidden: bot was blocked by the user", chat_id=7)."""
        self.waiting.append(_Fault(Answer(code, text, **parameters), method, chat_id, times, after=False))

    def bad_gateway(self, method: str = "", chat_id: int | None = None, times: int = 1) -> None:
        """Answer 502 in HTML; nothing is done."""
        self.waiting.append(_Fault(Html(), method, chat_id, times, after=False))

    def cut(self, method: str = "", chat_id: int | None = None, times: int = 1, *, done: bool = True) -> None:
        """Cut the connection instead of answering; `done`: after the work was done."""
        self.waiting.append(_Fault(Cut(), method, chat_id, times, after=done))

    def migrate(self, chat_id: int, to: int, times: int = 1) -> None:
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        self.answer(400, text, chat_id=chat_id, times=times, migrate_to_chat_id=to)

    def flood(self, chat_id: int, seconds: float) -> None:
        """From its next message on the chat answers 429 for so long."""
        self.floods[chat_id] = -seconds

    def clear(self) -> None:
        self.delay_seconds = 0.0
        self.waiting.clear()
        self.floods.clear()

    def raise_before(self, method: str, params: dict[str, Any]) -> None:
        self._raise(method, params, after=False)
        chat_id = params.get("chat_id")
        if method.startswith(("send", "edit")) and chat_id in self.floods:
            self._flooded(int(chat_id))

    def raise_after(self, method: str, params: dict[str, Any]) -> None:
        self._raise(method, params, after=True)

    def _raise(self, method: str, params: dict[str, Any], *, after: bool) -> None:
        for fault in self.waiting:
            if fault.after == after and fault.fits(method, params) and (fault.method or method != "getUpdates"):
                fault.times -= 1
                raise fault.error

    def _flooded(self, chat_id: int) -> None:
        at = time.monotonic()
        if (until := self.floods[chat_id]) < 0:
            self.floods[chat_id] = until = at - until
        elif at < until:
            self.too_early.append((chat_id, until - at))
        if at < until:
            seconds = int(until - at) + 1 if (until - at) % 1 > 0.01 else round(until - at)
            raise Answer(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        del self.floods[chat_id]
