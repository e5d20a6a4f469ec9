"""The stages as fixtures: one for a folder, embedded and as a cluster; the cluster's topics are removed afterwards."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.flows.stage import Cluster, Mode, Stage
from tests.peers.kafka import ExternalKafka, KafkaServer, delete_topics
from tests.peers.postgres import ExternalPostgres, PostgresServer

TOPICS = "okno."
MODES = ["embedded", pytest.param("cluster", marks=pytest.mark.cluster)]


@pytest.fixture(scope="package", params=MODES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Okno in both modes; the tests of a folder share it, so each uses addresses and texts of its own."""
    if cast(Mode, request.param) == "embedded":
        with Stage() as made:
            yield made
        return
    kafka: KafkaServer | ExternalKafka = request.getfixturevalue("kafka")
    postgres: PostgresServer | ExternalPostgres = request.getfixturevalue("postgres")
    refuse_topics_of_others(kafka.bootstrap)
    url = postgres.create_database()
    try:
        with Stage(Cluster(kafka.bootstrap, url)) as made:
            yield made
    finally:
        postgres.drop_database(url)
        asyncio.run(delete_topics(kafka.bootstrap, TOPICS))


@pytest.fixture(scope="package")
def embedded() -> Iterator[Stage]:
    """Okno in one process, for what is the same in both modes."""
    with Stage() as made:
        yield made


def refuse_topics_of_others(bootstrap: str) -> None:
    """A broker that has Okno's topics already is somebody's own: these tests would mix with it and then delete them."""
    if found := asyncio.run(_topics(bootstrap)):
        pytest.fail(f"Kafka at {bootstrap} has topics of another Okno already: {', '.join(found)}")


async def _topics(bootstrap: str) -> list[str]:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return [name for name in await admin.list_topics() if name.startswith(TOPICS)]
    finally:
        await admin.close()
