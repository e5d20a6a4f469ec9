"""An inbox API on a real SQLite store, with a little projector behind it; clients speak to it in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from services.inbox_api.main import InboxApi
from services.projector import inbound
from services.projector.follow import follow
from services.serve import Part, application
from shared.blobs import Blobs
from shared.clock import now, to_text
from shared.contracts.codec import Contract
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.registry.operators import Operator, Operators, Role
from shared.registry.subscriptions import Subscriptions
from tests.examples import MAILBOX, Clock
from tests.services.projector.running import running
from tests.stores import create_all_tables

PASSWORD = "correct horse"


# What the API shows of the mailbox.
CHANNEL = {"id": str(MAILBOX), "kind": "email", "name": "Support"}


@dataclass
class Office:
    """`client` asks as an operator with a token; `browser` has a cookie jar and no token."""

    database: Database
    store: EventStore
    operators: Operators
    blobs: Blobs
    api: InboxApi
    clock: Clock
    client: httpx.AsyncClient
    browser: httpx.AsyncClient
    olga: Operator

    async def receive(self, *contracts: Contract) -> list[e.MessageReceived]:
        """Record what came in and wait until it is shown; return the messages."""
        handled = await self.store.record(lambda session, tx: inbound.receive(session, tx, contracts))
        assert await self.api.context.views.reach(handled.position)
        events = [happening.event for happening in handled.happenings]
        return [event for event in events if isinstance(event, e.MessageReceived)]

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.client.post(f"/api/v1{path}", json={} if body is None else body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def token_of(self, email: str, role: Role) -> str:
        operator = await self.operators.add(email, role)
        return await self.operators.create_token(operator.id, "api")


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Office]:
    database = open_database(f"sqlite:///{folder / 'okno.db'}")
    create_all_tables(database)
    clock = Clock()
    store, blobs, operators = EventStore(database, clock), Blobs(folder / "blobs"), Operators(database)
    await database.write(
        lambda tx: tx.run(
            "INSERT INTO channels VALUES (?, 'email', 'Support', '{}', '', 'active', ?)", (str(MAILBOX), to_text(now()))
        )
    )
    olga = await operators.add("olga@okno.example", "operator", "Olga")
    token = await operators.create_token(olga.id, "api")
    api = InboxApi(database, store, blobs, Subscriptions(database, bytes(32)))
    transport = httpx.ASGITransport(application([Part("api", api.run, api.ready, api.routes)]))
    bearer = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://okno", headers=bearer) as client,
        httpx.AsyncClient(transport=transport, base_url="http://okno") as browser,
        running(api.run(), follow(database, store)),
    ):
        yield Office(database, store, operators, blobs, api, clock, client, browser, olga)
    await database.close()


@asynccontextmanager
async def listening(api: InboxApi) -> AsyncIterator[str]:
    """The API on a loopback port, for answers that do not end; yields its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = application([Part("api", api.run, api.ready, api.routes)])
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task
