"""A bot's channel, replies to send through it, and an inlet that keeps what it is given in memory."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.channels.telegram.config import FIELDS
from shared.channels.telegram.parse import parse
from shared.connector import Channel
from shared.contracts.inbound import Address, inbound_id
from shared.contracts.outbound import OutboundReply
from shared.parsed import Parsed, RawItem
from tests.peers.telegram import TOKEN

CHANNEL_ID = UUID("00000000-0000-0000-0000-0000000000b0")
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
UNIX = int(AT.timestamp())
ANNA = Address("telegram", "7", "Анна")


def bot_channel(api_url: str = "", **settings: str) -> Channel:
    given = {"token": TOKEN, "api_url": api_url, **settings}
    return Channel(CHANNEL_ID, "telegram", "Bot", {f.name: given.get(f.name, f.default or "") for f in FIELDS})


def read(update: Any, **settings: str) -> Parsed:
    """Return what an update says, given as JSON or as bytes."""
    data = update if isinstance(update, bytes) else json.dumps(update).encode()
    return parse(RawItem(data, "application/json", AT, "update/1"), bot_channel(**settings))


def message(**more: Any) -> dict[str, Any]:
    """Anna's message to the bot; `more` adds and overrides."""
    user = {"id": 7, "is_bot": False, "first_name": "Анна"}
    chat = {"id": 7, "type": "private", "first_name": "Анна"}
    return {"message_id": 15, "from": user, "chat": chat, "date": UNIX, **more}


def told(**more: Any) -> Parsed:
    """What a message of Anna's says."""
    return read({"update_id": 1, "message": message(**more)})


def reply(text: str = "", number: int = 1, chat: int = 7, **more: Any) -> OutboundReply:
    """An operator's reply to a chat."""
    fields: dict[str, Any] = {
        "id": UUID(int=number),
        "conversation_id": UUID(int=2),
        "channel_id": CHANNEL_ID,
        "to": (Address("telegram", str(chat)),),
        "subject": "",
        "text": text,
        "author": "Оператор",
        "requested_at": AT,
        "in_reply_to": "",
        "references": (),
        "thread_key": str(chat),
        "quoted": None,
        "files": (),
    }
    return OutboundReply(**{**fields, **more})


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
    """Accepts everything; what it has accepted survives its receivers. `fail_on` fails as a full disk would."""

    def __init__(self) -> None:
        self.cursor = MemoryCursor()
        self.items: list[RawItem] = []
        self.parsed: dict[UUID, Parsed] = {}
        """By inbound id, as the projector would have them: once each, in the order of their first coming."""
        self.reports: list[tuple[int | None, str | None]] = []
        self.fail_on: bytes | None = None
        self._begun = 0

    async def accept(self, item: RawItem) -> UUID:
        self._begun += 1
        for _ in range(3 - self._begun % 4):  # some take longer than others
            await asyncio.sleep(0)
        if self.fail_on is not None and self.fail_on in item.data:
            raise OSError("disk full")
        parsed = parse(item, bot_channel())
        id_ = inbound_id(CHANNEL_ID, parsed.dedup_key or parsed.external_id)
        self.items.append(item)
        self.parsed.setdefault(id_, parsed)
        return id_

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        self.reports.append((lag, problem))

    @property
    def problems(self) -> list[str]:
        return [problem for _, problem in self.reports if problem]

    def texts(self) -> list[str]:
        return [parsed.text for parsed in self.parsed.values()]

    async def have(self, count: int, timeout_seconds: float = 60) -> list[str]:
        """The texts, as soon as there are that many."""
        async with asyncio.timeout(timeout_seconds):
            while len(self.parsed) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return self.texts()
