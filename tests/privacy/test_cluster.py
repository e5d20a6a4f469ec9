"""As test_erasure, with Kafka and PostgreSQL of the test's own: their folders are looked through too."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from services.privacy.certificate import is_genuine
from tests.peers.kafka import KafkaServer
from tests.peers.postgres import PostgresServer
from tests.privacy.life import write_card
from tests.privacy.planted import found_in
from tests.privacy.test_erasure import erase, facts
from tests.privacy.town import Person, settings_of, town


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_nothing_of_an_erased_customer_is_left_in_the_folders_of_the_servers(tmp_path: Path) -> None:
    anna, boris = Person("Klasternaya"), Person("Sosedov")
    with PostgresServer() as postgres, KafkaServer() as kafka:
        run(postgres.url, "ALTER SYSTEM SET wal_recycle = off", "SELECT pg_reload_conf()")
        settings = settings_of(tmp_path / "data", postgres.create_database(), kafka.bootstrap)
        folders = [tmp_path / "data", postgres._folder, kafka._folder]
        async with town(settings) as made:
            customer = await made.live_through(anna)
            await write_card(made, anna, customer)
            await made.publish(made.item(boris, "email", "mail"))
            other = await made.customer_of(boris)
            before, others_timeline = await made.timeline(customer), await made.timeline(other)
            planted = (
                "mail",
                "form",
                "chat",
                "photo.jpg",
                "note",
                "step",
                "step-note",
                "card-notes",
                "own-field",
                "consent",
            )
            said = {anna.texts[what] for what in planted}
            run(postgres.url, "CHECKPOINT")  # in the log of writes a text may stand in two pages
            assert (found_in(folders, said).keys(), found_in([kafka._folder], said)) == (said, {})
            erasure = await erase(made, customer)
            assert facts(await made.timeline(customer)) == facts(before)
            assert await made.timeline(other) == others_timeline
            assert is_genuine(erasure.certificate or {})
        run(postgres.url, "CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT")
        postgres.stop()
        kafka.stop()
        assert found_in(folders, anna.texts.values()) == {}
        assert found_in([postgres._folder], [boris.texts["mail"]]).keys() == {boris.texts["mail"]}


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
