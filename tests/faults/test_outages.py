"""Servers around Okno die, hang or go away under load: within 60 s after the end all is as if nothing had been (I7)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.load import Load
from tests.flows.stage import Cluster, Stage, eventually
from tests.peers.kafka import KafkaServer
from tests.peers.postgres import PostgresServer

pytestmark = pytest.mark.cluster


@dataclass(frozen=True, slots=True)
class Own:
    """A cluster whose servers may be killed."""

    stage: Stage
    kafka: KafkaServer
    postgres: PostgresServer


@pytest.fixture(scope="module")
def own() -> Iterator[Own]:
    with (
        KafkaServer() as kafka,
        PostgresServer() as postgres,
        Stage(Cluster(kafka.bootstrap, postgres.create_database())) as stage,
    ):
        yield Own(stage, kafka, postgres)


def test_a_killed_kafka_costs_nothing_and_posts_are_told_to_come_again(own: Own) -> None:
    with Load(own.stage, "broker") as load:
        time.sleep(1.0)
        own.kafka.kill()
        dead = len(load.answers) + 1  # the post that is under way may have been confirmed before the broker died
        eventually(lambda: len(load.answers) > dead, 60, "an answer without a broker")
        assert set(load.answers[dead:]) == {(503, True)}
        own.kafka.start()
        eventually(lambda: (200, False) in load.answers[dead:], 60, "a confirmed post after the outage")
        time.sleep(1.0)
    load.assert_everything()


def test_a_killed_postgres_costs_nothing(own: Own) -> None:
    with Load(own.stage, "database") as load:
        time.sleep(1.0)
        own.postgres.kill()
        time.sleep(3.0)
        own.postgres.start()
        time.sleep(2.0)
    load.assert_everything()


def test_a_projector_that_hangs_for_15_seconds_neither_stops_nor_doubles_anything(own: Own) -> None:
    hanging = own.stage.named("projector")[0].process
    with Load(own.stage, "hanging") as load:
        time.sleep(1.0)
        hanging.pause()
        time.sleep(15.0)
        hanging.resume()
        time.sleep(1.0)
    load.assert_everything()


def test_mail_servers_that_go_away_get_everything_when_they_are_back(own: Own) -> None:
    with Load(own.stage, "mail") as load:
        time.sleep(1.0)
        own.stage.dovecot.kill()
        own.stage.smtp.stop()
        time.sleep(4.0)
        own.stage.smtp.start()
        own.stage.dovecot.start()
        time.sleep(1.0)
    load.assert_everything(all_sent=False)  # a mail whose connection broke at its end has an unknown fate
