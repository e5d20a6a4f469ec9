"""Which Kafka servers to speak to, and how they let us in: OKNO_KAFKA and the settings that begin with it.

The words are those of Kafka's own clients (kafka.apache.org/documentation, security.protocol and sasl.mechanism).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
DEFAULT_PORT = 9092
PORTS = range(1, 65536)


class WrongServers(ValueError):
    """What was told of Kafka cannot be used; the text says which setting and what would be right."""


@dataclass(frozen=True, slots=True)
class KafkaServers:
    """`bootstrap`: host:port, several with commas. `ca_file`: whom to trust, PEM; None: whom this machine trusts.

    `cert_file` and `key_file`, PEM: what we show of ourselves, where servers ask for it.
    """

    bootstrap: str
    protocol: str = PROTOCOLS[0]
    mechanism: str = MECHANISMS[0]
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def encrypts(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def logs_in(self) -> bool:
        return self.protocol.startswith("SASL")

    def addresses(self) -> list[tuple[str, int]]:
        """Return host and port of each. Raises WrongServers."""
        return [_address(each.strip()) for each in self.bootstrap.split(",")]


def read_kafka_servers(env: Mapping[str, str]) -> KafkaServers | None:
    """Return the servers of OKNO_KAFKA, None where it is empty. Raises WrongServers."""
    servers = KafkaServers(
        env.get("OKNO_KAFKA", "").strip(),
        _one_of(PROTOCOLS, env, "OKNO_KAFKA_SECURITY"),
        _one_of(MECHANISMS, env, "OKNO_KAFKA_SASL_MECHANISM"),
        env.get("OKNO_KAFKA_USERNAME", ""),
        env.get("OKNO_KAFKA_PASSWORD", ""),
        *(_file(env, f"OKNO_KAFKA_{name}_FILE") for name in ("CA", "CERT", "KEY")),
    )
    if servers == KafkaServers(""):
        return None
    _check(servers)
    return servers


@cache
def ssl_context(servers: KafkaServers) -> ssl.SSLContext | None:
    """Return how to encrypt, None for servers without. Raises WrongServers.

    Files are read once: certificates that were renewed are seen by the next start.
    """
    if not servers.encrypts:
        return None
    try:
        context = ssl.create_default_context(cafile=servers.ca_file)
        if servers.cert_file is not None:
            context.load_cert_chain(servers.cert_file, servers.key_file)
    except OSError as error:
        raise WrongServers(f"the certificates for Kafka cannot be used: {error}") from error
    return context


def _check(servers: KafkaServers) -> None:
    if not servers.bootstrap:
        raise WrongServers("how Kafka lets us in is told, but OKNO_KAFKA does not say where it is")
    servers.addresses()
    files = (servers.ca_file, servers.cert_file, servers.key_file)
    if any(files) and not servers.encrypts:
        raise WrongServers("certificates of Kafka are for OKNO_KAFKA_SECURITY=ssl or sasl_ssl")
    if (servers.cert_file is None) != (servers.key_file is None):
        raise WrongServers("OKNO_KAFKA_CERT_FILE and OKNO_KAFKA_KEY_FILE belong together")
    if servers.logs_in and not (servers.username and servers.password):
        raise WrongServers("OKNO_KAFKA_SECURITY with sasl wants OKNO_KAFKA_USERNAME and OKNO_KAFKA_PASSWORD")
    if (servers.username or servers.password) and not servers.logs_in:
        raise WrongServers("OKNO_KAFKA_USERNAME and OKNO_KAFKA_PASSWORD are for OKNO_KAFKA_SECURITY=sasl_ssl")
    ssl_context(servers)


def _one_of(words: tuple[str, ...], env: Mapping[str, str], name: str) -> str:
    """Return one of some words, the first where nothing is told; in whatever case."""
    if (word := env.get(name, "").strip().upper() or words[0]) not in words:
        raise WrongServers(f"{name} must be one of {', '.join(words)}")
    return word


def _file(env: Mapping[str, str], name: str) -> Path | None:
    if not (told := env.get(name, "")):
        return None
    if not (file := Path(told)).is_file():
        raise WrongServers(f"{name}: there is no file {file}")
    return file


_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)


def _address(told: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(told)
    if found is None or (port := int(found[2] or DEFAULT_PORT)) not in PORTS or not _is_name(found[1]):
        raise WrongServers(f"OKNO_KAFKA wants host:port, several with commas, not {told!r}")
    return found[1].strip("[]"), port


def _is_name(host: str) -> bool:
    """What cannot be asked of a name server, `kafka..svc`, is no OSError when it is asked, but a UnicodeError."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
