"""How every client of Kafka here is told of the servers: the same few arguments for each of aiokafka's classes."""

from __future__ import annotations

from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.kafka_servers import KafkaServers, ssl_context
from shared.said import said_with_kind
from shared.transport.protocol import TransportUnavailable

REACH_SECONDS = 10.0
_LOGINS = {"SCRAM-SHA-512": SASLScram512, "SCRAM-SHA-256": SASLScram256, "PLAIN": SASLPlaintext}


def options(servers: KafkaServers) -> dict[str, Any]:
    """Return what aiokafka's consumer, admin client and client take."""
    return {"bootstrap_servers": servers.bootstrap, **_secured(servers)}


def security(servers: KafkaServers) -> BaseSecurity | None:
    """Return what FastStream's broker takes."""
    if servers.logs_in:
        login = _LOGINS[servers.mechanism]
        return login(servers.username, servers.password, ssl_context=ssl_context(servers), use_ssl=servers.encrypts)
    return BaseSecurity(ssl_context=ssl_context(servers), use_ssl=True) if servers.encrypts else None


async def refuse_unreachable(servers: KafkaServers) -> None:
    """Return when one of the servers has let us in. Raises TransportUnavailable with what each of them said.

    aiokafka itself says only that it found none, whatever the reason was.
    """
    said: list[str] = []
    for host, port in servers.addresses():
        try:
            await _let_in(host, port, servers)
        except (KafkaError, OSError, TimeoutError) as error:
            said.append(f"{host}:{port}: {said_with_kind(error)}")
        else:
            return
    raise TransportUnavailable(f"Kafka lets nobody in: {'; '.join(said)}")


async def _let_in(host: str, port: int, servers: KafkaServers) -> None:
    milliseconds = int(REACH_SECONDS * 1000)
    connection = await create_conn(host, port, request_timeout_ms=milliseconds, **_secured(servers))  # type: ignore[no-untyped-call]
    connection.close()


def _secured(servers: KafkaServers) -> dict[str, Any]:
    login = {
        "sasl_mechanism": servers.mechanism,
        "sasl_plain_username": servers.username,
        "sasl_plain_password": servers.password,
    }
    return {
        "security_protocol": servers.protocol,
        "ssl_context": ssl_context(servers),
        **(login if servers.logs_in else {}),
    }
