"""What the tests of the projector share: a part that runs for the length of a test, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from services.projector import delivery, inbound
from services.projector.intake import IntakeLoop
from shared.contracts import topics
from shared.contracts.codec import Contract
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from shared.read_models import conversations, timeline
from shared.transport.protocol import Transport
from tests.examples import outgoing
from tests.read_models.contents import show
from tests.services.fakes import until


@asynccontextmanager
async def running(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless coroutines; one that ends by itself fails the test with what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def intakes(store: EventStore, transport: Transport) -> tuple[Coroutine[Any, Any, None], ...]:
    return tuple(IntakeLoop(store, transport, each).run() for each in (inbound.intake(), delivery.intake()))


async def publish(transport: Transport, *contracts: Contract, topic: str = topics.INBOUND) -> None:
    """All under one key, so that their order is kept."""
    await transport.publisher().publish_many(topic, [outgoing(contract) for contract in contracts])


async def take(store: EventStore, *contracts: Contract) -> list[Any]:
    """Decide items as one batch; return what happened."""
    handled = await store.record(lambda session, tx: inbound.receive(session, tx, contracts))
    return [happening.event for happening in handled.happenings]


async def shown(database: Database, conversation_id: UUID) -> list[dict[str, Any]]:
    """Return a conversation's timeline once the read models are up to date."""
    await show(database)
    page = timeline.Page(100)
    return await database.read(partial(timeline.of_conversation, conversation_id=conversation_id, page=page))


async def listed(database: Database, conversation_id: UUID) -> dict[str, Any]:
    """Return a conversation as lists have it once the read models are up to date."""
    await show(database)
    found = await database.read(partial(conversations.conversation, conversation_id=conversation_id))
    assert found is not None
    return found


async def events(database: Database) -> list[e.Recorded]:
    return await database.read(lambda tx: read_log(tx, 0, 100_000))


async def names(database: Database) -> list[str]:
    return [type(recorded.event).__name__ for recorded in await events(database)]


async def messages(database: Database) -> dict[UUID, e.MessageReceived]:
    """Every message in the log by its id; a second one of the same id fails the test."""
    found = [r.event for r in await events(database) if isinstance(r.event, e.MessageReceived)]
    assert len({message.message_id for message in found}) == len(found)
    return {message.message_id: message for message in found}


async def until_recorded(database: Database, count: int, seconds: float = 60.0) -> list[e.Recorded]:
    """Wait until the log has so many events."""

    async def enough() -> bool:
        return len(await events(database)) >= count

    await until(enough, seconds)
    return await events(database)
