"""Sends events to partners by signed webhooks: one worker a subscription, so none waits for another.

It lives in the projector because that knows the log; one process at a time does it, held by a lead of its own.
At least once: what was sent, but not yet written down when the process died, goes out again with its webhook-id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from services.projector.partner_batch import Batch, next_batch
from services.projector.partner_retry import next_try, seconds_asked
from services.projector.partner_signature import signed
from shared.clock import now, to_text
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.event_store.log import head
from shared.event_store.mapper import EventUnreadable
from shared.event_store.shown import UnknownType
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import live
from shared.registry.secrets import WrongKey
from shared.registry.subscriptions import Delivery, State, Subscription, Subscriptions
from shared.said import said

if TYPE_CHECKING:
    from services.projector.partner_http import Answer, PartnerHttp

LEAD = "partners"
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 5.0
UNREADABLE_SECONDS = 60.0
ROUND_SECONDS = 0.2
"""Events of one moment go together."""
BEHIND_EVENTS = 1000
"""Read models further behind than this have the processor to themselves."""
YIELD_SECONDS = 0.5
RECORD_EVERY = 1000
"""Events nobody asked for that are passed over without writing it down: passing them again costs little."""
PATIENCE_IS_OVER = "three days without success: `resume` goes on where it stopped"
GONE_STATUS = 410
GONE = "the partner answered 410: it wants no more"
log = Log("projector")


class Partners:
    """`work` is what the leading process runs."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        subscriptions: Subscriptions,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database, self._store, self._subscriptions, self._clock = database, store, subscriptions, clock

    def work(self) -> Sequence[Coroutine[None, None, None]]:
        return (self.run(),)

    async def run(self) -> None:
        """Keep a worker for each active subscription until cancelled."""
        workers: dict[UUID, tuple[Worker, asyncio.Task[None]]] = {}
        listener, pace = self._subscriptions.listen(), Pace(ROUND_SECONDS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring(workers))
            while True:
                await pace.keep()
                for id_ in await self._active():
                    known = workers.get(id_)
                    if known is None or known[1].done():
                        worker = Worker(self._database, self._subscriptions, id_, self._clock)
                        workers[id_] = worker, group.create_task(worker.run())
                for id_, (worker, task) in list(workers.items()):
                    worker.wake()
                    if task.done():
                        del workers[id_]
                await listener.wait(IDLE_SECONDS)

    async def _active(self) -> list[UUID]:
        try:
            return [each.id for each in await self._subscriptions.all() if each.state == "active"]
        except DatabaseUnavailable as error:
            log.warning("partners_waiting", error=said(error)[:500])
            return []

    async def _ring(self, workers: dict[UUID, tuple[Worker, asyncio.Task[None]]]) -> None:
        """Tell the workers when the log has grown: one listener, however many they are."""
        listener, pace = self._store.listen(), Pace(ROUND_SECONDS)
        while True:
            await pace.keep()
            await listener.wait(IDLE_SECONDS)
            for worker, _ in workers.values():
                worker.grown.set()


class Worker:
    """Sends to one partner, in order, as long as its subscription is active."""

    def __init__(
        self, database: Database, subscriptions: Subscriptions, id_: UUID, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._subscriptions, self._id, self._clock = database, subscriptions, id_, clock
        self._passed = (0, 0, 0)
        """Round and position of the subscription, and how far the log has nothing for it."""
        self.changed, self.grown = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Look at the subscription again, whatever is being waited for."""
        self.changed.set()
        self.grown.set()

    async def run(self) -> None:
        from services.projector.partner_http import PartnerHttp  # aiohttp is loaded only where there are partners

        first = await self._load()
        if first is None:
            return
        async with PartnerHttp(first.url, self._subscriptions.networks) as http:
            while (subscription := await self._load()) is not None:
                try:
                    await self._go_on(subscription, http)
                except DatabaseUnavailable as error:
                    log.warning("partner_waiting", subscription_id=self._id, error=said(error)[:500])
                    await asyncio.sleep(OUTAGE_SECONDS)
                except (EventUnreadable, WrongKeyStore) as error:  # it was promised every event, in order
                    log.warning("partner_waiting", subscription_id=self._id, error=said(error)[:500])
                    await _wait(self.changed, UNREADABLE_SECONDS)

    async def _load(self) -> Subscription | None:
        while True:
            try:
                found = await self._subscriptions.one(self._id)
            except DatabaseUnavailable:
                await asyncio.sleep(OUTAGE_SECONDS)
            else:
                return found if found is not None and found.state == "active" else None

    async def _go_on(self, subscription: Subscription, http: PartnerHttp) -> None:
        """Send the next batch, or wait until there is one or its time has come."""
        self.changed.clear()
        self.grown.clear()
        if subscription.next_try_at is not None and (left := self._until(subscription.next_try_at)) > 0:
            await _wait(self.changed, left)
        elif await self._database.read(_is_behind, brief=True):
            await asyncio.sleep(YIELD_SECONDS)
        else:
            await self._send_next(subscription, http)

    async def _send_next(self, subscription: Subscription, http: PartnerHttp) -> None:
        place = (subscription.round, subscription.position)
        after = self._passed[2] if self._passed[:2] == place else subscription.position
        try:
            batch, reached, more = await self._database.read(
                partial(next_batch, subscription=subscription, after=after)
            )
            secret = self._subscriptions.secret_of(subscription)
        except (WrongKey, UnknownType) as error:
            await self._subscriptions.stop(subscription, said(error))
            return
        if batch is not None:
            await self._send(subscription, batch, secret, http)
            return
        self._passed = (*place, reached)
        if reached - subscription.position > RECORD_EVERY:
            await self._subscriptions.pass_over(subscription, reached)
        elif not more:
            await _wait(self.grown, IDLE_SECONDS)

    async def _send(self, subscription: Subscription, batch: Batch, secret: str, http: PartnerHttp) -> None:
        if not await self._subscriptions.begin(subscription, batch.last):
            return
        webhook_id, began = subscription.webhook_id(batch.last), self._clock()
        answer = await http.post(signed(secret, webhook_id, began, batch.body), batch.body)
        delivery = Delivery(
            webhook_id,
            to_text(began),
            batch.first,
            batch.last,
            batch.events,
            subscription.tries + 1,
            answer.status,
            answer.milliseconds,
            answer.beginning,
            answer.problem,
        )
        if answer.status is not None and 200 <= answer.status < 300:
            await self._subscriptions.confirm(subscription, delivery)
        else:
            await self._fail(subscription, delivery, answer)

    async def _fail(self, subscription: Subscription, delivery: Delivery, answer: Answer) -> None:
        at = self._clock()
        since = subscription.failing_since or at
        asked = seconds_asked(answer.retry_after, at)
        again = next_try(delivery.attempt, since, at, asked, random.random())  # noqa: S311 (jitter)
        then: tuple[State, str] = ("active", "")
        if answer.status == GONE_STATUS:
            then, again = ("disabled", GONE), None
        elif again is None:
            then = ("paused", f"{PATIENCE_IS_OVER}; {answer.problem}")
        log.info("webhook_failed", subscription_id=self._id, status=answer.status, attempt=delivery.attempt)
        await self._subscriptions.fail(subscription, delivery, since, again, then)

    def _until(self, at: datetime) -> float:
        return (at - self._clock()).total_seconds()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):  # not wait_for: before Python 3.12 it can lose a cancellation
        async with asyncio.timeout(seconds):
            await event.wait()


def _is_behind(tx: Transaction) -> bool:
    return head(tx) - live.position(tx) > BEHIND_EVENTS
