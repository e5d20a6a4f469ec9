"""The projector process: two intakes, and, in one process at a time, followers of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType

from services.projector import delivery, inbound
from services.projector.calls import end_overdue_calls
from services.projector.chain import link_forever
from services.projector.feed import Feed
from services.projector.follow import follow, tidy_rebuilds, wake_snoozed
from services.projector.intake import BATCH, BRIEF_BATCH, IntakeLoop
from services.projector.relay import Relay
from services.projector.search import index_forever
from shared.database.lead import lead_forever
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.domain.call import overdue
from shared.event_store.log import head
from shared.event_store.store import EventStore
from shared.read_models import live
from shared.transport.protocol import Transport

MEMBERS = 2
"""Of the group that takes in messages, in one process: one decides while the other waits for the database."""
Work = Callable[[], Sequence[Coroutine[None, None, None]]]


class Projector:
    """Runs until cancelled; any number of processes may run it on one database."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        store: EventStore,
        *,
        embedded: bool,
        events_in_full: bool = False,
        leading: Mapping[str, Work] = MappingProxyType({}),
    ) -> None:
        """`leading`: what else one process at a time does, by the name of its lead."""
        self._leading = leading
        self._database, self._transport, self._store = database, transport, store
        self._embedded, self._events_in_full = embedded, events_in_full
        self._intakes = [
            IntakeLoop(store, transport, intake, BRIEF_BATCH if embedded else BATCH)
            for intake in (*[inbound.intake()] * (1 if embedded else MEMBERS), delivery.intake())
        ]

    async def run(self) -> None:
        """Raises what breaks it: a bug stops the process loudly."""
        async with asyncio.TaskGroup() as group:
            for loop in self._intakes:
                group.create_task(loop.run(), name="intake")
            group.create_task(lead_forever(self._database, "projector", self._follow), name="follow")
            for name, work in self._leading.items():
                group.create_task(lead_forever(self._database, name, work), name=name)
            if not self._embedded:  # in one process the log itself is there for other systems
                group.create_task(lead_forever(self._database, "feed", self._feed), name="feed")

    async def ready(self) -> str | None:
        """Return what is missing, None when messages are being taken in."""
        try:
            await self._database.read(live.position)
        except DatabaseUnavailable as error:
            return f"database: {error}"
        return None

    async def lag(self) -> int:
        """Return how many records of the transport wait to be taken in by this process."""
        return sum([await intake.lag() for intake in self._intakes])

    async def behind(self) -> int:
        """Return how many log positions the read models are behind."""
        return await self._database.read(_behind)

    def _follow(self) -> Sequence[Coroutine[None, None, None]]:
        relay = Relay(self._database, self._store, self._transport.publisher())
        return (
            follow(self._database, self._store),
            relay.run(),
            wake_snoozed(self._database, self._store),
            tidy_rebuilds(self._database),
            end_overdue_calls(self._database, self._store, overdue),
            link_forever(self._database),
            index_forever(self._database, self._store),
        )

    def _feed(self) -> Sequence[Coroutine[None, None, None]]:
        publisher = self._transport.publisher()
        return (Feed(self._database, self._store, publisher, in_full=self._events_in_full).run(),)


def _behind(tx: Transaction) -> int:
    return max(0, head(tx) - live.position(tx))
