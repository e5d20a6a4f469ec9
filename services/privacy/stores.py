"""Everything that holds something of somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.privacy import referred
from shared.blobs import Blobs
from shared.database.protocol import Database
from shared.event_store.store import EventStore
from shared.keys.ring import KeyRing
from shared.keys.wire import LOOK_SECONDS, WireKeys
from shared.transport.protocol import Transport

SETTLE = timedelta(seconds=2 * LOOK_SECONDS + 1)
"""After so long nobody seals with a key that was replaced: what they published with it is confirmed or refused."""
SPARED = timedelta(minutes=10)
"""A file stored so lately may be somebody's of whom the log does not know yet: it is looked at again."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What an erasure goes through, and how long it waits."""

    database: Database
    store: EventStore
    keys: KeyRing
    wire_keys: WireKeys
    blobs: Blobs
    transport: Transport
    look: referred.Look
    secret_key: bytes
    data: Path
    settle: timedelta = SETTLE
    spared: timedelta = SPARED
