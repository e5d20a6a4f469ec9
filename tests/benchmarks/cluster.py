"""Cluster mode, one process: Kafka to the event log (the intake alone), and on to the timeline's rows (the projector).

Beside each a bare INSERT of the same rows with the same driver, and a chain from Kafka to one table without Okno.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import psycopg

from services.collector import seldom_collected
from services.house import open_house
from services.projector import inbound
from services.projector.intake import IntakeLoop
from services.projector.main import MEMBERS
from shared.contracts import codec, topics
from shared.contracts.inbound import partition_key
from shared.database.protocol import Transaction
from shared.settings import read_settings
from shared.transport.protocol import Outgoing
from tests.benchmarks import bare
from tests.benchmarks.history import message
from tests.benchmarks.table import Figure
from tests.peers.kafka import KafkaServer
from tests.peers.postgres import PostgresServer

MESSAGES, CLIENTS = 60_000, 12_000
INSERT_BATCH = 500
DEADLINE_SECONDS = 180


def figures() -> Iterator[Figure]:
    with KafkaServer() as kafka, PostgresServer() as postgres, tempfile.TemporaryDirectory() as folder:
        url = postgres.create_database()
        env = {
            "OKNO_KAFKA": kafka.bootstrap,
            "OKNO_DATABASE_URL": url,
            "OKNO_KEYS_URL": postgres.create_database(),
            "OKNO_DATA": folder,
            "OKNO_BLOBS": f"{folder}/blobs",
        }
        intake_url = postgres.create_database()
        asyncio.run(_publish(env))
        with seldom_collected():
            logged = asyncio.run(_take_in({**env, "OKNO_DATABASE_URL": intake_url}))
        shown = _project({**os.environ, **env}, url)
        bare_log, bare_rows = _bare(url, postgres.create_database())
        chain = asyncio.run(bare.kafka_chain(kafka.bootstrap, topics.INBOUND, postgres.create_database(), MESSAGES))
    for what, rate, goal, rows in (
        ("cluster: Kafka to the event log, one process", logged, 8000, bare_log),
        ("cluster: Kafka to the timeline's rows", shown, 5000, bare_rows),
    ):
        yield Figure(what, rate, "msg/s", goal, True, rows, "bare INSERT of the same rows")
        yield Figure("the same beside a bare chain", rate, "msg/s", goal, True, chain, "Kafka to one row each")


async def _publish(env: dict[str, str]) -> None:
    """Put the messages into the topic, as ingest would, before the projector starts."""
    house = open_house(read_settings(env))
    transport = house.transport()
    await transport.start()
    publisher = transport.publisher()
    for start in range(0, MESSAGES, 1000):
        records = []
        for number in range(start, start + 1000):
            item = message(number, CLIENTS)
            encoded = codec.encode(item, id=item.id, source="/bench", at=item.received_at)
            records.append(Outgoing(partition_key(item.sender), encoded.value, encoded.headers))
        await publisher.publish_many(topics.INBOUND, records)
    await transport.close()
    await house.close()


async def _take_in(env: dict[str, str]) -> float:
    """Return messages a second from Kafka into the log of an empty database, with as many members as the projector."""
    house = open_house(read_settings(env))
    transport = house.transport()
    await transport.start()
    loops = [IntakeLoop(house.store, transport, inbound.intake()) for _ in range(MEMBERS)]
    intakes = [asyncio.create_task(loop.run()) for loop in loops]
    began, done = time.perf_counter(), 0
    while done < MESSAGES:
        await asyncio.sleep(0.05)
        done = await house.database.read(_done)
        began = began if done else time.perf_counter()
    rate = MESSAGES / (time.perf_counter() - began)
    for intake in intakes:
        intake.cancel()
    await asyncio.gather(*intakes, return_exceptions=True)
    await transport.close()
    await house.close()
    return rate


def _done(tx: Transaction) -> int:
    """Return how many records of the topic are in the log; positions may have holes."""
    sql = "SELECT sum(notification_id + 1) FROM tracking WHERE application_name LIKE ?"
    row = tx.row(sql, (f"{topics.INBOUND}/%",))
    return int(row[0] or 0) if row else 0


def _project(env: dict[str, str], url: str) -> float:
    """Return messages a second until all are on the timeline."""
    command = [sys.executable, "-m", "services.cli", "projector", "--port", "0", "--log-level", "warning"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            _until(lambda: _one(connection, "SELECT count(*) FROM (SELECT 1 FROM stored_events LIMIT 1) AS x") > 0)
            began = time.perf_counter()
            _until(lambda: _one(connection, "SELECT count(*) FROM timeline") == MESSAGES)
            shown = MESSAGES / (time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return shown


def _bare(url: str, empty_url: str) -> tuple[float, float]:
    """Insert the very same rows into empty tables, in batches, with the same driver; nothing else."""
    with psycopg.connect(url) as source, psycopg.connect(empty_url) as target:
        target.execute(
            "CREATE TABLE stored_events (originator_id uuid, originator_version bigint, topic text, state bytea,"
            " notification_id bigserial, PRIMARY KEY (originator_id, originator_version))"
        )
        target.execute("CREATE UNIQUE INDEX ON stored_events (notification_id)")
        target.execute(
            "CREATE TABLE timeline (position bigint PRIMARY KEY, id text, customer_id text,"
            " conversation_id text, kind text, changes bigint, facet bigint, occurred bigint, came_at bigint,"
            " body text)"
        )
        target.execute("CREATE INDEX ON timeline (customer_id, position)")
        target.execute("CREATE INDEX ON timeline (customer_id, occurred, position)")
        target.execute("CREATE INDEX ON timeline (customer_id, facet, position)")
        target.execute("CREATE INDEX ON timeline (conversation_id, position)")
        target.commit()
        columns = "originator_id, originator_version, topic, state"
        events = source.execute(f"SELECT {columns} FROM stored_events ORDER BY notification_id").fetchall()
        rows = source.execute("SELECT * FROM timeline ORDER BY position").fetchall()
        log_seconds = _insert(target, f"stored_events ({columns})", ("uuid", "bigint", "text", "bytea"), events)
        types = ("bigint", "text", "text", "text", "text", "bigint", "bigint", "bigint", "bigint", "text")
        rows_seconds = _insert(target, "timeline", types, rows)
    return MESSAGES / log_seconds, MESSAGES / (log_seconds + rows_seconds)


def _insert(target: psycopg.Connection, table: str, types: tuple[str, ...], rows: list[tuple[object, ...]]) -> float:  # type: ignore[type-arg]
    arrays = ",".join(f"%b::{kind}[]" for kind in types)
    began = time.perf_counter()
    for start in range(0, len(rows), INSERT_BATCH):
        columns = [list(column) for column in zip(*rows[start : start + INSERT_BATCH], strict=True)]
        target.execute(f"INSERT INTO {table} SELECT * FROM unnest({arrays})", columns)  # type: ignore[arg-type]
        target.commit()
    return time.perf_counter() - began


def _one(connection: psycopg.Connection, sql: str) -> int:  # type: ignore[type-arg]
    row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
    return int(row[0]) if row else 0


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("the projector did not finish")
        time.sleep(0.05)
