"""Kafka that asks who comes, and what is said where it does not let us in."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_look import look_kafka
from shared.transport.kafka_options import refuse_unreachable
from shared.transport.kafka_topics import create_topics
from shared.transport.protocol import TransportUnavailable
from tests.peers.kafka_secured import GUEST, PASSWORD, USERNAME, SecuredKafka
from tests.transport.house import House, read, said, values

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredKafka]:
    with SecuredKafka() as server:
        yield server


def by_name(server: SecuredKafka, mechanism: str = "SCRAM-SHA-512") -> KafkaServers:
    return KafkaServers(server.login, "SASL_SSL", mechanism, USERNAME, PASSWORD, server.own.certificate)


def by_certificate(server: SecuredKafka) -> KafkaServers:
    files = (server.own.certificate, server.client.certificate, server.client.key)
    return KafkaServers(server.known, "SSL", "", "", "", *files)


@pytest.mark.parametrize("how", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "a certificate"])
async def test_everything_that_speaks_to_kafka_is_let_in(secured: SecuredKafka, how: str) -> None:
    servers = by_certificate(secured) if how == "a certificate" else by_name(secured, how)
    house = House(f"kafka://{servers}", servers=servers)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish(house.topic, *said("одна"))
        await transport.publisher().publish_many(house.topic, said("ещё"))
        records = await read(consumer, 2)
        await consumer.commit(records)
        assert await consumer.lag() == 0
        assert await transport.ends(house.topic) == await transport.done(house.topic, house.group)
    assert values(records) == ["одна", "ещё"]
    assert [record.value for batch in [b async for b in look_kafka(servers, house.topic)] for record in batch] == [
        record.value for record in records
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": "another"}, "SaslAuthenticationFailed"),
        ({"ca_file": None}, "certificate verify failed"),
        ({"protocol": "SASL_PLAINTEXT", "ca_file": None}, ":"),
        ({"bootstrap": "127.0.0.1:1"}, "ConnectionRefused"),
    ],
)
async def test_whoever_is_not_let_in_is_told_why(
    secured: SecuredKafka, changed: dict[str, str | Path | None], words: str
) -> None:
    servers = replace(by_name(secured), **changed)  # type: ignore[arg-type]
    with pytest.raises(TransportUnavailable, match=f"Kafka lets nobody in: .*{servers.bootstrap}.*{words}"):
        await refuse_unreachable(servers)


async def test_a_stranger_without_a_certificate_is_not_let_in(secured: SecuredKafka) -> None:
    with pytest.raises(TransportUnavailable, match="lets nobody in"):
        await refuse_unreachable(replace(by_certificate(secured), cert_file=None, key_file=None))


async def test_who_may_not_create_topics_uses_those_that_others_have_made(secured: SecuredKafka) -> None:
    guest = replace(by_name(secured), username=GUEST)
    house = House(f"kafka://{secured.login}", servers=guest)
    with pytest.raises(TransportUnavailable, match=f"creating topics: TopicAuthorizationFailed.*{house.topic}"):
        async with house.transport():
            pass
    await secured.allow_guest(house.topic, house.group)
    with pytest.raises(TransportUnavailable, match=f"creating topics: TopicAuthorizationFailed.*{house.topic}"):
        async with house.transport():
            pass
    await create_topics(by_name(secured), [house.topic], 2)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish_many(house.topic, said("hello"))
        records = await read(consumer, 1)
        await consumer.commit(records)
        assert await transport.done(house.topic, house.group) == await transport.ends(house.topic)
    assert values(records) == ["hello"]


async def test_one_server_that_answers_is_enough(secured: SecuredKafka) -> None:
    await refuse_unreachable(replace(by_name(secured), bootstrap=f"127.0.0.1:1,{secured.login}"))
