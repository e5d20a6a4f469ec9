"""The client sees that an operator is writing: once for each time it is told, by one process, and not later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from services.outbound.senders import Senders
from services.outbound.typing import ShowTyping
from shared.clock import now, to_text
from shared.connector import SendDelayed
from shared.database.protocol import Database, DatabaseUnavailable
from shared.registry.typing import FRESH, Typing, Writing
from tests.services.fakes import add_channel, lines_kind, loader, registry_of, until


@dataclass
class Writes:
    """A sender that shows who writes; `fails`: as a provider that wants a pause."""

    shown: list[str] = field(default_factory=list)
    fails: bool = False
    refused: int = 0

    async def typing(self, thread_key: str) -> None:
        if self.fails:
            self.refused += 1
            raise SendDelayed("a pause", "429", 3)
        self.shown.append(thread_key)

    async def close(self) -> None: ...


async def _senders(database: Database, sender: Writes, **can: bool) -> tuple[Senders, UUID]:
    kind = lines_kind(**can)
    kind.modules["send"] = SimpleNamespace(sender=lambda channel, read_file: sender)
    channel = await add_channel(database)
    senders = Senders(registry_of(database), loader(kind), _no_file)
    await senders.load_channels()
    return senders, channel.id


async def _no_file(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)


async def test_what_is_told_is_taken_once_and_only_while_it_is_fresh(any_database: Database) -> None:
    typing = Typing(any_database)
    writing = Writing(uuid4(), uuid4(), "7")
    await typing.tell(writing)
    await typing.tell(writing)
    taken = await asyncio.gather(typing.take(), typing.take())
    assert sorted(map(len, taken)) == [0, 1]
    assert [each for part in taken for each in part] == [writing]
    await typing.tell(writing)
    assert await typing.take() == [writing]
    await typing.tell(writing)
    before = to_text(now() - FRESH - timedelta(seconds=1))
    await any_database.write(lambda tx: tx.run("UPDATE typing SET at = ?, shown_at = ''", (before,)))
    assert await typing.take() == []


@pytest.mark.parametrize(("can", "shown"), [(True, ["7"]), (False, [])])
async def test_it_is_shown_where_the_channel_can(database: Database, can: bool, shown: list[str]) -> None:
    sender, typing = Writes(), Typing(database)
    senders, channel_id = await _senders(database, sender, typing=can)
    showing = asyncio.create_task(ShowTyping(typing, senders).run())
    await asyncio.sleep(0)
    await typing.tell(Writing(uuid4(), channel_id, "7"))
    await until(lambda: _all_taken(database))
    await until(lambda: sender.shown == shown)
    showing.cancel()


async def test_a_provider_that_refuses_stops_nothing(database: Database) -> None:
    sender, typing = Writes(fails=True), Typing(database)
    senders, channel_id = await _senders(database, sender, typing=True)
    showing = asyncio.create_task(ShowTyping(typing, senders).run())
    await asyncio.sleep(0)
    await typing.tell(Writing(uuid4(), channel_id, "7"))
    await typing.tell(Writing(uuid4(), uuid4(), "of a channel that has gone"))
    await until(lambda: sender.refused == 1)
    await until(lambda: _all_taken(database))
    sender.fails = False
    await typing.tell(Writing(uuid4(), channel_id, "8"))
    await until(lambda: sender.shown == ["8"])
    showing.cancel()


async def _all_taken(database: Database) -> bool:
    rows = await database.read(lambda tx: tx.rows("SELECT 1 FROM typing WHERE shown_at < at"))
    return not rows


async def test_a_database_that_goes_away_for_a_while_ends_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, typing, asked = Writes(), Typing(database), []
    senders, channel_id = await _senders(database, sender, typing=True)
    take = typing.take

    async def away_at_first() -> list[Writing]:
        asked.append(1)
        if len(asked) == 1:
            raise DatabaseUnavailable("gone")
        return await take()

    monkeypatch.setattr(typing, "take", away_at_first)
    showing = asyncio.create_task(ShowTyping(typing, senders).run())
    await asyncio.sleep(0)
    await typing.tell(Writing(uuid4(), channel_id, "7"))
    await until(lambda: asked)
    await typing.tell(Writing(uuid4(), channel_id, "8"))
    await until(lambda: "8" in sender.shown)
    showing.cancel()
