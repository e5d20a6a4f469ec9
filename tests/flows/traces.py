"""What a request may leave behind, wherever it would be before anybody sees it, and the lines it is logged with."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts import topics
from shared.database.sqlite_transaction import SqliteTransaction
from shared.kafka_servers import KafkaServers
from shared.transport import embedded_log, kafka_offsets
from tests.flows.stage import Stage

TOPICS = (topics.INBOUND, topics.OUTBOUND, topics.RETRIES, topics.DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Traces:
    """`ends`: of each topic the offset of its last record, before any process has read it. `files`: kept blobs."""

    events: int
    quarantined: int
    ends: dict[str, dict[str, int]]
    files: list[str]


def traces(stage: Stage) -> Traces:
    folder = Path(stage.env.get("OKNO_BLOBS", stage.folder / "data" / "blobs"))
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    ends = asyncio.run(_kafka_ends(stage.env["OKNO_KAFKA"])) if stage.mode == "cluster" else _embedded_ends(stage)
    return Traces(stage.events_count(), sum(1 for _ in stage.all("/quarantine")), ends, files)


def logged(stage: Stage) -> list[dict[str, Any]]:
    """Every line of every process."""
    return [line for service in stage.services for line in service.process.logged()]


async def _kafka_ends(bootstrap: str) -> dict[str, dict[str, int]]:
    return {topic: await kafka_offsets.ends(KafkaServers(bootstrap), topic) for topic in TOPICS}


def _embedded_ends(stage: Stage) -> dict[str, dict[str, int]]:
    with closing(sqlite3.connect(stage.folder / "data" / "okno.db")) as connection:
        return {topic: embedded_log.ends(SqliteTransaction(connection), topic) for topic in TOPICS}
