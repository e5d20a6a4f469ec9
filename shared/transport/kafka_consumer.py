"""Reading Kafka with bare aiokafka. Rebalances happen in the background at any time, so every partition is placed anew.

To place is: ask `Positions` (or the group's committed offsets) and seek. What came from a partition that is not placed
is dropped; it is read again from its place.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared.kafka_servers import KafkaServers
from shared.logs import Log
from shared.transport.kafka_deadline import SECONDS, asking_kafka
from shared.transport.kafka_options import options
from shared.transport.kafka_topics import topic_id
from shared.transport.limits import MAX_RECORD_BYTES, READ_BYTES
from shared.transport.protocol import Positions, Record, TransportUnavailable

REPORT_SECONDS = 1.0
"""Positions that live elsewhere are shown to Kafka this often: lag can be seen there, nothing else depends on it."""
HEARTBEAT_SECONDS = 1.0
RETRY_SECONDS = 0.3
"""While no broker answers each member tries so often, in four places (aiokafka's default is 0.1)."""
METADATA_SECONDS = 5.0
"""A topic or partition that was unknown when a member joined is found after this time (aiokafka's default is 5 min)."""
FETCH_WAIT_MILLISECONDS = 100
"""One fetch a broker is under way; a partition that is not in it waits for its end."""
_NEEDED = {"_coordinator": "_coordination_task", "_fetcher": "_fetch_task", "_client": "_sync_task"}
log = Log("transport")


class KafkaConsumer:
    """One member of a group. After TransportUnavailable leave and enter a new one, or call `batch` again."""

    def __init__(
        self, servers: KafkaServers, topic: str, group: str, positions: Positions | None, session_seconds: float
    ) -> None:
        self._servers, self._topic, self._group, self._positions = servers, topic, group, positions
        self._session_seconds = session_seconds
        self._consumer: Any = None
        self._placed: dict[TopicPartition, str] = {}
        self._done: dict[TopicPartition, int] = {}
        self._unreported: dict[TopicPartition, int] = {}
        self._report_at = 0.0
        self._rebalances = 0

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(  # type: ignore[no-untyped-call]
            **options(self._servers),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._session_seconds * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
            max_partition_fetch_bytes=MAX_RECORD_BYTES + 64 * 1024,
            fetch_max_bytes=READ_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
            request_timeout_ms=int(SECONDS * 1000),
            retry_backoff_ms=int(RETRY_SECONDS * 1000),
            metadata_max_age_ms=int(METADATA_SECONDS * 1000),
        )
        try:
            async with asking_kafka(f"joining {self._group}"):
                await self._consumer.start()
                self._consumer.subscribe([self._topic], listener=_Forgetting(self._forget))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        with suppress(TransportUnavailable):  # only shown lag is at stake: what must be durable was committed before
            await self._report()
        await self._stop()

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            self._refuse_half_dead()
            await self._place()
            left = max(0.0, deadline - loop.time())
            async with asking_kafka(f"reading {self._topic}", left + SECONDS):
                found = await self._consumer.getmany(timeout_ms=int(left * 1000), max_records=limit)
            records = [
                _record(self._placed[partition], message)
                for partition, messages in found.items()
                if partition in self._placed
                for message in messages
            ]
            if records or loop.time() >= deadline:
                return records

    async def commit(self, records: Sequence[Record]) -> None:
        partitions = {source: partition for partition, source in self._placed.items()}
        for record in records:
            partition = partitions.get(record.source)
            if partition is not None and record.offset > self._done[partition]:
                self._done[partition] = self._unreported[partition] = record.offset
        at = asyncio.get_running_loop().time()
        if self._positions is None or at >= self._report_at:
            await self._report()
            self._report_at = at + REPORT_SECONDS

    async def rewind(self) -> None:
        self._placed.clear()

    async def lag(self) -> int:
        partitions = list(self._placed)
        if not partitions:
            return 0
        async with asking_kafka("asking for the lag"):
            ends = await self._consumer.end_offsets(partitions)
            begins = await self._consumer.beginning_offsets(partitions)
        return sum(max(0, ends[p] - max(self._done.get(p, -1) + 1, begins[p])) for p in partitions)

    def _refuse_half_dead(self) -> None:
        """Raise TransportUnavailable when a task has ended without which aiokafka 0.14 waits for ever, in silence.

        After an outage the one that asks for the brokers may have ended with a RuntimeError.
        """
        for part, name in _NEEDED.items():
            task = getattr(getattr(self._consumer, part), name, None)
            if task is not None and task.done():
                ended = name.strip("_")
                raise TransportUnavailable(f"Kafka, a member of {self._group} is half dead: {ended} has ended")

    async def _report(self) -> None:
        """Commit to Kafka. A partition that moved meanwhile is its new owner's: the error is only news of that."""
        if reported := dict(self._unreported):
            async with asking_kafka("committing"):
                with suppress(CommitFailedError, IllegalStateError):
                    await self._consumer.commit({partition: offset + 1 for partition, offset in reported.items()})
        for partition, offset in reported.items():
            if self._unreported.get(partition) == offset:
                del self._unreported[partition]

    async def _place(self) -> None:
        """Seek in every partition that is new or was forgotten; from the start when it moves again meanwhile."""
        while new := self._consumer.assignment() - self._placed.keys():
            rebalances = self._rebalances
            id = await topic_id(self._servers, self._topic)
            sources = {partition: f"{self._topic}/{id}/{partition.partition}" for partition in sorted(new)}
            done = await self._last_done(sources)
            if rebalances != self._rebalances:
                continue
            for partition in new & self._consumer.assignment():
                self._consumer.seek(partition, done[partition] + 1)
                self._placed[partition], self._done[partition] = sources[partition], done[partition]

    async def _last_done(self, sources: Mapping[TopicPartition, str]) -> dict[TopicPartition, int]:
        if self._positions is not None:
            known = await self._positions.load(list(sources.values()))
            return {partition: known.get(source, -1) for partition, source in sources.items()}
        async with asking_kafka(f"positions of {self._group}"):
            return {partition: (await self._consumer.committed(partition) or 0) - 1 for partition in sources}

    def _forget(self) -> None:
        self._rebalances += 1
        self._placed, self._done, self._unreported = {}, {}, {}

    async def _stop(self) -> None:
        """Leave; a broker that cannot be told finds out by the session's end.

        In a task of its own: aiokafka 0.14 cancels a fetch that waits for a lost broker, awaits it, and so raises
        a CancelledError nobody asked for, before its connections are closed.
        """
        stopping = asyncio.create_task(self._consumer.stop())
        try:
            await asyncio.wait({stopping}, timeout=self._session_seconds)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
        if stopping.cancelled() or stopping.exception() is not None:
            await self._hang_up()
        gc.collect()  # who was left before this: aiokafka's parts refer to each other, and to megabytes fetched ahead

    async def _hang_up(self) -> None:
        """End what one that could not leave goes on with: aiokafka 0.14 gives up at the first part that does not end.

        The others would ask for their coordinator three times a second for ever, with all that was fetched ahead.
        """
        log.warning("kafka_not_left", group=self._group)
        client, tasks = self._consumer._client, [task for task in _tasks_of(self._consumer) if not task.done()]
        for task in tasks:
            task.cancel()
        for connection in list(client._conns.values()):  # each takes itself out of it
            with suppress(RuntimeError):  # it may be writing to one that is closed already
                connection.close()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Forgetting(ConsumerRebalanceListener):
    def __init__(self, forget: Any) -> None:
        self._forget = forget

    def on_partitions_revoked(self, revoked: object) -> None:
        self._forget()

    def on_partitions_assigned(self, assigned: object) -> None:
        self._forget()


def _tasks_of(consumer: Any) -> list[asyncio.Task[Any]]:
    """Return what aiokafka 0.14 runs in the background for a consumer, as far as it has begun."""
    named = [*_NEEDED.items(), ("_coordinator", "_heartbeat_task"), ("_coordinator", "_commit_refresh_task")]
    pending = list(getattr(consumer._fetcher, "_pending_tasks", ()))
    found = [getattr(getattr(consumer, part), name, None) for part, name in named]
    return [task for task in (*found, *pending) if task is not None]


def _record(source: str, message: ConsumerRecord[bytes, bytes]) -> Record:
    """Return a record as published. Foreign producers may leave key and value out or write what is no UTF-8."""
    headers = {name: value.decode("utf-8", "replace") for name, value in message.headers if value is not None}
    if headers.get("content-type") == "":
        del headers["content-type"]  # FastStream adds it where there is none
    key = (message.key or b"").decode("utf-8", "replace")
    return Record(source, message.offset, key, message.value or b"", headers)
