"""Fetches files that lie with their providers, in the background: the message they belong to does not wait.

Few at once of each channel; one that cannot be had is tried again for a day, then given up with the reason.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from services.ingest.directory import Directory
from services.ingest.fetch_queue import Fetch, FetchQueue, Result, record
from services.ingest.metrics import FETCHED
from shared.blobs import Blobs
from shared.clock import now
from shared.connector import FetchDelayed, FetchRefused, Kind
from shared.contracts import topics
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.inbound import FileRef
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.parsed import ParsedFile
from shared.registry.channels import Registered
from shared.said import said, said_with_kind
from shared.transport.protocol import Outgoing, Publisher, TransportUnavailable

PLACES = 3
"""Files of one channel that are fetched at once."""
FETCH_SECONDS = 120.0
IDLE_SECONDS = 5.0
BUSY_SECONDS = 0.5
SCHEDULE_SECONDS = (2.0, 10.0, 60.0, 300.0, 1800.0)
GIVE_UP_AFTER = timedelta(hours=24)
log = Log("ingest.fetch")


class Fetcher:
    """Runs until cancelled; any number of processes share the work."""

    def __init__(
        self, queue: FetchQueue, directory: Directory, load: Callable[[str], Kind], blobs: Blobs, publisher: Publisher
    ) -> None:
        self._queue, self._directory, self._load = queue, directory, load
        self._blobs, self._publisher = blobs, publisher
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], UUID] = {}
        self._bug: BaseException | None = None
        queue.wake = self._wake.set

    async def run(self, *, alone: bool) -> None:
        """`alone`: no other process can be fetching, so what was begun before was cut short."""
        recovered = not alone
        try:
            while True:
                self._wake.clear()
                if self._bug is not None:
                    raise self._bug
                try:
                    if not recovered:
                        await self._queue.recover()
                        recovered = True
                    await self._start_due()
                    await self._tell()
                except (DatabaseUnavailable, TransportUnavailable) as error:
                    log.warning("fetches_wait", reason=said_with_kind(error))
                await self._until_something()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _start_due(self) -> None:
        waiting = await self._queue.channels()
        busy = Counter(self._running.values())
        for fetch in await self._queue.claim({id_: PLACES - busy[id_] for id_ in waiting if busy[id_] < PLACES}):
            task = asyncio.create_task(self._try(fetch), name=f"fetch-{fetch.id}")
            self._running[task] = fetch.channel_id
            task.add_done_callback(self._ended)

    async def _try(self, fetch: Fetch) -> None:
        """What the database does not take is tried again when the lease has run out."""
        try:
            outcome = await self._outcome(fetch, await self._found(fetch))
            if isinstance(outcome, datetime):
                await self._queue.again(fetch, outcome)
            else:
                await self._queue.settle(outcome)
                FETCHED.labels("fetched" if isinstance(outcome, FileFetched) else "unavailable").inc()
        except DatabaseUnavailable as error:
            log.warning("fetch_not_settled", fetch_id=fetch.id, reason=said(error))

    async def _found(self, fetch: Fetch) -> Registered | None:
        if found := self._directory.by_id(fetch.channel_id):
            return found
        await self._directory.reread()
        return self._directory.by_id(fetch.channel_id)

    async def _outcome(self, fetch: Fetch, found: Registered | None) -> Result | datetime:
        """Return the result, or when to try again."""
        if found is None:
            return self._unavailable(fetch, "the channel it came by is no longer connected")
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                module = await asyncio.to_thread(self._load(found.channel.kind).module, "fetch")
                file: ParsedFile = await module.fetch(found.channel, fetch.file)
                sha256 = await self._blobs.put(file.data)
        except FetchRefused as refused:
            return self._unavailable(fetch, str(refused) or "the provider does not give it")
        except FetchDelayed as delayed:
            return self._later(fetch, str(delayed) or "not to be had now", delayed.retry_after_seconds)
        except TimeoutError:
            return self._later(fetch, f"not fetched within {FETCH_SECONDS:.0f} s")
        except ModuleNotFoundError:
            return self._unavailable(fetch, f"{found.channel.kind} channels have no files to fetch")
        except Exception as bug:
            log.error("fetch_failed", bug, fetch_id=fetch.id, channel_id=fetch.channel_id, kind=found.channel.kind)
            return self._later(fetch, said_with_kind(bug))
        content_id = file.content_id or fetch.file.content_id
        kept = FileRef(sha256, len(file.data), file.name or fetch.file.name, file.media_type, content_id)
        return FileFetched(fetch.id, fetch.inbound_id, fetch.channel_id, fetch.file.ref, kept, now())

    def _later(self, fetch: Fetch, why: str, seconds: float | None = None) -> Result | datetime:
        """A provider that says when to come back is believed."""
        if seconds is None:
            seconds = SCHEDULE_SECONDS[min(fetch.tries, len(SCHEDULE_SECONDS)) - 1]
        due_at = now() + timedelta(seconds=seconds)
        if due_at - fetch.first_try_at > GIVE_UP_AFTER:
            return self._unavailable(fetch, f"given up after {fetch.tries} tries: {why}")
        log.warning("fetch_delayed", fetch_id=fetch.id, tries=fetch.tries, why=why[:500])
        return due_at

    def _unavailable(self, fetch: Fetch, reason: str) -> FileUnavailable:
        return FileUnavailable(fetch.id, fetch.inbound_id, fetch.channel_id, fetch.file.ref, reason[:2000], now())

    async def _tell(self) -> None:
        while untold := await self._queue.untold():
            records = [(each.key, record(each.result)) for each in untold]
            outgoing = [Outgoing(key, encoded.value, encoded.headers) for key, encoded in records]
            await self._publisher.publish_many(topics.INBOUND, outgoing)
            await self._queue.told(untold)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled():
            self._bug = task.exception() or self._bug
        self._wake.set()

    async def _until_something(self) -> None:
        try:
            async with asyncio.timeout(BUSY_SECONDS if self._running else IDLE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
