"""The settings of a process, read once from the OKNO_* environment and the command line; wrong ones fail early."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from shared.kafka_servers import KafkaServers, WrongServers, read_kafka_servers
from shared.owner_only import make_folder


class WrongSettings(Exception):
    """A setting is missing or cannot be used; the text says which and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. Without `kafka` it is the embedded transport in the database."""

    data: Path
    database_url: str
    kafka: KafkaServers | None
    blobs: str
    secret_key: bytes
    """32 bytes: encrypts channel secrets, signs what must not be forged."""
    public_url: str
    keys_url: str = ""
    """The key store: a database of its own, so that no backup of the other one brings destroyed keys back."""
    events_in_full: bool = False
    """Whether okno.events carries personal content: no erasure reaches what other systems have read."""
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Private networks that partners' webhooks may be sent to."""

    @property
    def embedded(self) -> bool:
        return self.kafka is None


def read_settings(
    environment: Mapping[str, str] | None = None, data: Path | None = None, *, begins: bool = True
) -> Settings:
    """Return the settings of OKNO_DATA, OKNO_DATABASE_URL, OKNO_KAFKA, OKNO_BLOBS, OKNO_SECRET_KEY, OKNO_PUBLIC_URL,
    OKNO_KEYS_URL, OKNO_EVENTS and OKNO_WEBHOOK_NETWORKS, and those that begin with OKNO_KAFKA_.

    `data` (the --data option) wins over OKNO_DATA. `begins`: where there is no installation yet, this begins one.
    Raises WrongSettings.
    """
    env = os.environ if environment is None else environment
    folder = data_folder(env, data)
    kafka, database = _kafka(env), env.get("OKNO_DATABASE_URL", "")
    if kafka and not database.startswith("postgres"):
        raise WrongSettings("OKNO_KAFKA needs a PostgreSQL OKNO_DATABASE_URL: SQLite serves one process only")
    if database and not database.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise WrongSettings("OKNO_DATABASE_URL must start with sqlite:/// or postgresql://")
    if env.get("OKNO_EVENTS", "") not in ("", "ids", "full"):
        raise WrongSettings("OKNO_EVENTS says what okno.events carries: ids (the default), or full")
    if not begins and not database and not (folder / "okno.db").exists():
        raise WrongSettings(f"there is no Okno in {folder}: name its folder with --data or OKNO_DATA")
    keys_url = _keys_url(env.get("OKNO_KEYS_URL", ""), database, folder)
    return Settings(
        data=folder,
        database_url=database or f"sqlite:///{folder / 'okno.db'}",
        kafka=kafka,
        blobs=env.get("OKNO_BLOBS") or str(folder / "blobs"),
        secret_key=_secret_key(env.get("OKNO_SECRET_KEY", ""), folder / "secret.key", keys_url),
        public_url=_public_url(env.get("OKNO_PUBLIC_URL", "")),
        keys_url=keys_url,
        events_in_full=env.get("OKNO_EVENTS") == "full",
        webhook_networks=_networks(env.get("OKNO_WEBHOOK_NETWORKS", "")),
    )


def data_folder(environment: Mapping[str, str] | None, data: Path | None) -> Path:
    """Return where the settings have their data; `data` (the --data option) wins over OKNO_DATA."""
    env = os.environ if environment is None else environment
    return (data or Path(env.get("OKNO_DATA") or "var")).absolute()


def _kafka(env: Mapping[str, str]) -> KafkaServers | None:
    try:
        return read_kafka_servers(env)
    except WrongServers as error:
        raise WrongSettings(str(error)) from error


def _public_url(given: str) -> str:
    """Providers are told to post there, and pages to load forms from there: neither takes an address without scheme."""
    url = given.strip().rstrip("/")
    if url and not url.lower().startswith(("https://", "http://")):
        raise WrongSettings(f"OKNO_PUBLIC_URL must start with https:// or http://, not {url[:80]!r}")
    return url


def _keys_url(given: str, database: str, folder: Path) -> str:
    """Return where keys lie: unless told otherwise a file beside SQLite, and the same server as PostgreSQL."""
    if given and not given.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise WrongSettings("OKNO_KEYS_URL must start with sqlite:/// or postgresql://")
    if given and given == (database or f"sqlite:///{folder / 'okno.db'}") and given.startswith("sqlite"):
        raise WrongSettings("OKNO_KEYS_URL must not be OKNO_DATABASE_URL: a backup of one would hold both")
    shared = database if database.startswith("postgres") else ""
    return given or shared or f"sqlite:///{folder / 'keys.db'}"


def _networks(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in given.split(",") if part.strip())
    except ValueError as error:
        raise WrongSettings(
            f"OKNO_WEBHOOK_NETWORKS wants networks such as 10.1.0.0/16, with commas: {error}"
        ) from error


def _secret_key(given: str, file: Path, keys_url: str) -> bytes:
    if not given:
        if not file.exists():
            _refuse_another_key(file, keys_url)
            _create_key_file(file)
        return _key_in(file)
    if (key := _decoded(given.encode(errors="replace"))) is None:
        raise WrongSettings(
            "OKNO_SECRET_KEY must be 32 bytes in base64url: make one with `openssl rand -base64 32 | tr +/ -_`"
        )
    return key


def _refuse_another_key(file: Path, keys_url: str) -> None:
    """With a new key beside it nothing could be read that was sealed with the old one; a store left there is none."""
    keys = file.parent / "keys.db"
    if keys_url == f"sqlite:///{keys}" and keys.exists():
        raise WrongSettings(f"{file} is missing, and keys.db was made with it: put the copy of it in its place")


def _key_in(file: Path) -> bytes:
    """A damaged file is never told to be replaced by a new key: nobody could read anything any more."""
    if (key := _decoded(file.read_bytes())) is None:
        raise WrongSettings(f"{file} is damaged, it had 32 bytes in base64url: put the copy of it in its place")
    return key


def _decoded(text: bytes) -> bytes | None:
    try:
        key = base64.urlsafe_b64decode(text.strip())
    except ValueError:
        return None
    return key if len(key) == 32 else None


def _create_key_file(file: Path) -> None:
    """Write a new key that only the owner can read; when two processes start at once, the first one's key stays."""
    make_folder(file.parent)
    draft = file.with_name(f".secret.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n")
    try:
        os.link(draft, file)
    except FileExistsError:
        return
    finally:
        draft.unlink()
