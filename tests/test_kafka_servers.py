"""What may be told of Kafka, and what is refused at the start instead of at the first message."""

from pathlib import Path

import pytest

from shared.kafka_servers import KafkaServers, WrongServers, read_kafka_servers, ssl_context
from shared.settings import WrongSettings, read_settings
from tests.peers.certificate import issue_certificate

HERE = {"OKNO_KAFKA": "kafka:9092"}
LOGIN = {"OKNO_KAFKA_USERNAME": "okno", "OKNO_KAFKA_PASSWORD": "secret"}


def test_nothing_told_means_no_kafka_and_a_name_alone_means_an_open_one() -> None:
    assert read_kafka_servers({"OKNO_KAFKA": " ", "OKNO_KAFKA_SECURITY": ""}) is None
    assert read_kafka_servers(HERE) == KafkaServers("kafka:9092", "PLAINTEXT")


def test_words_are_taken_in_any_case(tmp_path: Path) -> None:
    issued = issue_certificate(tmp_path)
    told = {**HERE, **LOGIN, "OKNO_KAFKA_SECURITY": "sasl_ssl", "OKNO_KAFKA_SASL_MECHANISM": "scram-sha-256"}
    servers = read_kafka_servers({**told, "OKNO_KAFKA_CA_FILE": str(issued.certificate)})
    assert servers == KafkaServers("kafka:9092", "SASL_SSL", "SCRAM-SHA-256", "okno", "secret", issued.certificate)
    assert ssl_context(servers) is ssl_context(servers)


def test_a_password_is_never_shown() -> None:
    servers = read_kafka_servers({**HERE, **LOGIN, "OKNO_KAFKA_SECURITY": "sasl_plaintext"})
    assert "secret" not in f"{servers} {servers!r}"


def test_servers_are_hosts_with_ports() -> None:
    assert KafkaServers("a:1, b,[::1]:2,[::2]").addresses() == [("a", 1), ("b", 9092), ("::1", 2), ("::2", 9092)]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"OKNO_KAFKA": "kafka:port"}, "host:port"),
        ({"OKNO_KAFKA": "kafka:0"}, "host:port"),
        ({"OKNO_KAFKA": "kafka:9092,"}, "host:port"),
        ({"OKNO_KAFKA": "kafka://host:9092"}, "host:port"),
        ({"OKNO_KAFKA": "kafka..svc:9092"}, "host:port"),
        ({"OKNO_KAFKA": f"{'k' * 64}:9092"}, "host:port"),
        ({**HERE, "OKNO_KAFKA_SECURITY": "tls"}, "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({**HERE, **LOGIN, "OKNO_KAFKA_SASL_MECHANISM": "GSSAPI"}, "one of SCRAM-SHA-512"),
        ({**HERE, "OKNO_KAFKA_SECURITY": "sasl_ssl", "OKNO_KAFKA_USERNAME": "okno"}, "wants OKNO_KAFKA_USERNAME and"),
        ({**HERE, **LOGIN}, "are for OKNO_KAFKA_SECURITY=sasl_ssl"),
        ({**HERE, "OKNO_KAFKA_CA_FILE": __file__}, "are for OKNO_KAFKA_SECURITY=ssl or sasl_ssl"),
        ({**HERE, "OKNO_KAFKA_SECURITY": "ssl", "OKNO_KAFKA_CA_FILE": "/nowhere"}, "no file /nowhere"),
        (
            {**HERE, "OKNO_KAFKA_SECURITY": "ssl", "OKNO_KAFKA_CA_FILE": __file__},
            "certificates for Kafka cannot be used",
        ),
        ({**HERE, "OKNO_KAFKA_SECURITY": "ssl", "OKNO_KAFKA_KEY_FILE": __file__}, "belong together"),
        (LOGIN, "does not say where it is"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_setting(told: dict[str, str], words: str) -> None:
    with pytest.raises(WrongServers, match=words):
        read_kafka_servers(told)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (LOGIN, "does not say where it is"),
        (HERE, "needs a PostgreSQL OKNO_DATABASE_URL"),
        ({**HERE, "OKNO_DATABASE_URL": "sqlite:////tmp/okno.db"}, "needs a PostgreSQL OKNO_DATABASE_URL"),
    ],
)
def test_a_process_does_not_start_with_it(tmp_path: Path, told: dict[str, str], words: str) -> None:
    with pytest.raises(WrongSettings, match=words):
        read_settings(told, tmp_path)
