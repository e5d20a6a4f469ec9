"""A mailbox's channel and an inlet that keeps everything in memory."""

import asyncio
import time
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from shared.channels.email.config import FIELDS
from shared.channels.email.parse import parse
from shared.clock import now
from shared.connector import Channel
from shared.parsed import Parsed, RawItem

CHANNEL_ID = UUID("00000000-0000-0000-0000-0000000000e1")
ADDRESS = "support@example.com"
PASSWORD = 's e"c\\ret'


def mailbox(**settings: str | int) -> Channel:
    """A channel with every field set, the given ones as given."""
    given = {"address": ADDRESS, **{name: str(value) for name, value in settings.items()}}
    complete = {each.name: given.get(each.name, each.default or "") for each in FIELDS}
    return Channel(CHANNEL_ID, "email", "Support", complete)


def parsed(data: bytes, **context: str) -> Parsed:
    return parse(RawItem(data, "message/rfc822", now(), "1.1", context), mailbox())


def mail(number: int, subject: str = "", body: str = "Hello") -> bytes:
    """A small mail, different for every number."""
    lines = [
        f"From: Client {number} <client{number}@example.org>",
        f"To: {ADDRESS}",
        f"Subject: {subject or f'Question {number}'}",
        f"Message-ID: <{number}@example.org>",
        "Date: Sat, 21 Nov 2026 10:00:00 +0300",
        "Content-Type: text/plain; charset=utf-8",
        "",
        body,
        "",
    ]
    return "\r\n".join(lines).encode()


@dataclass
class MemoryCursor:
    place: str | None = None
    saved: list[str] = field(default_factory=list)

    async def load(self) -> str | None:
        return self.place

    async def save(self, place: str) -> None:
        self.place = place
        self.saved.append(place)


class MemoryInlet:
    """Accepts everything; `fail_on` makes one item fail as a full disk would."""

    def __init__(self) -> None:
        self.cursor = MemoryCursor()
        self.items: list[RawItem] = []
        self.times: list[float] = []
        self.reports: list[tuple[int | None, str | None]] = []
        self.fail_on: bytes | None = None

    async def accept(self, item: RawItem) -> UUID:
        await asyncio.sleep(0)
        if self.fail_on is not None and self.fail_on in item.data:
            raise OSError("disk full")
        self.items.append(item)
        self.times.append(time.monotonic())
        return uuid5(CHANNEL_ID, item.key)

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        self.reports.append((lag, problem))

    async def have(self, count: int, timeout_seconds: float = 60) -> list[RawItem]:
        """The items, as soon as there are that many."""
        async with asyncio.timeout(timeout_seconds):
            while len(self.items) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return list(self.items)

    def numbers(self) -> list[int]:
        """The UIDs of what was accepted, in order."""
        return [int(item.key.split(".")[1]) for item in self.items]
