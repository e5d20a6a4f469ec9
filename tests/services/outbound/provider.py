"""A provider that answers as a test says, and one outbound process before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

from services.outbound.main import Outbound
from shared.blobs import Blobs
from shared.connector import Sent
from shared.contracts import topics
from shared.contracts.codec import encode
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database
from shared.transport.protocol import Outgoing
from tests.services.fakes import (
    AT,
    MemoryTransport,
    lines_kind,
    loader,
    registry_of,
    settings_of,
    until,
)


class Provider:
    """Takes replies; `answers` maps a text to what happens to it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.answers: dict[str, object] = {}
        self.opened: list[str] = []
        self.closed = 0

    async def send(self, said: OutboundReply) -> Sent:
        self.got.append(said.text)
        answer = self.answers.get(said.text)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        elif isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, BaseException):
            raise answer
        return Sent(f"<{said.id}>")

    async def close(self) -> None:
        self.closed += 1

    def sender(self, channel: object, read_file: object) -> Provider:
        self.opened.append(channel.settings.get("password", ""))
        return self


class House:
    """One outbound process's surroundings."""

    def __init__(self, database: Database, folder: object) -> None:
        self.database, self.folder = database, folder
        self.transport, self.provider = MemoryTransport(), Provider()
        self.kind = lines_kind()
        self.kind.modules["send"] = SimpleNamespace(sender=self.provider.sender)
        self.others: list[object] = []

    def use(self, provider: Provider) -> None:
        """Have this provider instead."""
        self.provider = provider
        self.kind.modules["send"] = SimpleNamespace(sender=provider.sender)

    @asynccontextmanager
    async def running(self, kafka: str = "") -> AsyncIterator[Outbound]:
        outbound = Outbound(
            settings_of(self.folder, kafka),
            self.database,
            self.transport,
            registry_of(self.database),
            Blobs(self.folder / "blobs"),
            loader(self.kind, *self.others),
        )
        await outbound.start()
        watching = asyncio.create_task(outbound.run())
        try:
            yield outbound
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await outbound.stop()

    async def ask(self, *replies: OutboundReply) -> None:
        for said in replies:
            record = encode(said, id=said.id, source="/relay", at=AT)
            await self.transport.publish(
                topics.OUTBOUND, Outgoing(str(said.conversation_id), record.value, record.headers)
            )

    def fates(self) -> dict[object, str]:
        return {(r.reply_id, r.attempt): r.state for r in self.transport.contracts(topics.DELIVERY)}

    async def fate(self, said: OutboundReply) -> str:
        await until(lambda: (said.id, said.attempt) in self.fates())
        return self.fates()[said.id, said.attempt]

    def report(self, said: OutboundReply) -> object:
        return next(r for r in self.transport.contracts(topics.DELIVERY) if r.reply_id == said.id)
