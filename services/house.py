"""What every process of Okno stands on: database, log, registry, blobs, transport, made from the settings."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.ingest.fetch_queue import SCHEMA as FETCHES
from services.outbound.ledger import SCHEMA as LEDGER
from shared.blobs import Blobs
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.database.written_format import WrittenByNewer, mark
from shared.event_store import fitting_keys
from shared.event_store.store import EventStore
from shared.keys.derive import derived
from shared.keys.pages import WrongKeyStore
from shared.keys.place import Place
from shared.keys.ring import KeyRing
from shared.keys.wire import WireKeys
from shared.owner_only import make_folder, opener
from shared.read_models import live
from shared.registry import (
    business,
    channels,
    cursors,
    erasures,
    health,
    listening,
    operators,
    restoring,
    signatures,
    subscriptions,
    telephones,
    typing,
    verifications,
)
from shared.registry.channels import ChannelRegistry
from shared.registry.restoring import RestoreUnfinished
from shared.registry.subscriptions import Subscriptions
from shared.settings import Settings, WrongSettings
from shared.transport.open import open_transport
from shared.transport.sealed import SealedTransport

REGISTRY = (
    business.SCHEMA, channels.SCHEMA, cursors.SCHEMA, erasures.SCHEMA, health.SCHEMA, listening.SCHEMA,
    operators.SCHEMA, restoring.SCHEMA, signatures.SCHEMA, subscriptions.SCHEMA, telephones.SCHEMA, typing.SCHEMA,
    verifications.SCHEMA,
)  # fmt: skip
SCHEMAS = (*REGISTRY, LEDGER, FETCHES)


@dataclass(frozen=True, slots=True)
class House:
    """Open resources; `close` gives them back."""

    settings: Settings
    database: Database
    store: EventStore
    registry: ChannelRegistry
    blobs: Blobs
    keys: KeyRing
    wire_keys: WireKeys

    @property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.database, self.settings.secret_key, self.settings.webhook_networks)

    @property
    def place(self) -> Place:
        """From where another process can open log and keys."""
        return Place(self.settings.database_url, self.settings.keys_url, self.settings.secret_key)

    def transport(self) -> SealedTransport:
        """Return a new transport, to be started."""
        return SealedTransport(open_transport(self.settings, self.database), self.wire_keys)

    async def close(self) -> None:
        await self.database.close()
        await self.keys.close()


def open_keys(settings: Settings) -> KeyRing:
    """Open the key store and create its tables. Raises DatabaseUnavailable."""
    keys = KeyRing(open_database(settings.keys_url), settings.secret_key)
    keys.create_tables()
    return keys


def open_house(settings: Settings, *, keys_may_lack: bool = False, half_restored: bool = False) -> House:
    """Open everything and create the tables that are missing. Raises DatabaseUnavailable.

    Raises WrittenByNewer before anything else is written; WrongKeyStore before anything could be sealed with keys that
    are not those of the log. `keys_may_lack`: for those who record nothing, but want to know what is missing. Raises
    RestoreUnfinished, but for those who restore or look (`half_restored`).
    """
    database = _opened(settings.database_url)
    store = EventStore(database, shows=live.take_in_next)
    store.create_tables()
    live.create_tables(database)
    keys = open_keys(settings)
    _refuse(database, keys, keys_may_lack=keys_may_lack, half_restored=half_restored)
    database.keys = keys
    registry = ChannelRegistry(database, settings.secret_key)
    blobs = Blobs(Path(settings.blobs), derived(settings.secret_key, "blobs"))
    wire_keys = WireKeys(keys.database, settings.secret_key)
    wire_keys.create_tables()
    return House(settings, database, store, registry, blobs, keys, wire_keys)


def _opened(url: str) -> Database:
    """Return the database with its first tables. Raises WrittenByNewer, with it closed."""
    database = open_database(url)
    try:
        create_tables(database, SCHEMAS, mark)
    except WrittenByNewer:
        _close(database.close())
        raise
    return database


def _refuse(database: Database, keys: KeyRing, *, keys_may_lack: bool, half_restored: bool) -> None:
    """Raises RestoreUnfinished or WrongKeyStore, with both closed, so that the right store can be put in its place."""
    try:
        with database.reading() as tx:
            if not half_restored:
                restoring.refuse_unfinished(tx)
            if not keys_may_lack:
                fitting_keys.refuse_another(tx, keys)
    except (RestoreUnfinished, WrongKeyStore):
        _close(database.close(), keys.close())
        raise


def _close(*closings: Coroutine[None, None, None]) -> None:
    with ThreadPoolExecutor(1) as thread:  # closing waits, and a loop may be running here
        for closing in closings:
            thread.submit(asyncio.run, closing).result()


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the data directory: a second `okno up` on it is refused. Raises WrongSettings."""
    make_folder(settings.data)
    with open(settings.data / "okno.lock", "a+", opener=opener) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise WrongSettings(f"{settings.data} is in use by another Okno (process {file.read().strip()})") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
