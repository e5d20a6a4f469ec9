"""The table of channels. Removing keeps the row, so that history can still name the channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal
from uuid import UUID, uuid4

from shared.clock import now, to_text
from shared.connector import Channel, kinds, load
from shared.database.protocol import Database, Listener, Row, Transaction
from shared.registry.public_settings import sealed_off, without_secrets
from shared.registry.secrets import SecretBox

TOPIC = "channels"
SCHEMA = """
CREATE TABLE IF NOT EXISTS channels (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL, secrets TEXT NOT NULL,
    state TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS channels_name ON channels (name) WHERE state <> 'removed'
"""
NAME_CHARACTERS = 100
State = Literal["active", "paused", "removed"]
_COLUMNS = "id, kind, name, settings, secrets, state, created_at"


class WrongChannel(Exception):
    """A channel cannot be added or found as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A channel with its state; times in RFC 3339."""

    channel: Channel
    state: State
    created_at: str


class ChannelRegistry:
    """Reads and changes channels; every change notifies the topic `channels`."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self._database, self._box = database, SecretBox(secret_key)

    async def add(self, kind: str, name: str, settings: Mapping[str, str]) -> Channel:
        """Add an active channel.

        Raises WrongChannel with every problem of the name and the settings, or for what another channel has; Conflict
        for a taken name.
        """
        try:
            connector = load(kind)
        except LookupError as error:
            raise WrongChannel(str(error)) from error
        if problems := [*_name_problems(name), *connector.problems(settings)]:
            raise WrongChannel("; ".join(problems))
        channel = Channel(uuid4(), kind, name, connector.complete(settings))
        secret = {f.name for f in connector.fields if f.secret}
        row = self._row(channel, secret)

        def insert(tx: Transaction) -> None:
            _keep_others_out(tx)
            self._refuse_twins(tx, channel)
            tx.insert_many("channels", _COLUMNS.split(", "), [row])
            tx.notify(TOPIC)

        await self._database.write(insert)
        return channel

    async def change(self, channel: Channel, settings: Mapping[str, str]) -> Channel:
        """Change some settings of a channel; the others stay as they are kept, whatever `channel` says of them.

        Raises WrongChannel with every problem of the whole of them.
        """
        connector = load(channel.kind)
        secret = {f.name for f in connector.fields if f.secret}

        def update(tx: Transaction) -> Channel:
            _keep_others_out(tx)
            kept = tx.row(f"SELECT {_COLUMNS} FROM channels WHERE id = ?{_lock(tx)}", (str(channel.id),))
            if kept is None:
                raise WrongChannel(f"no channel {str(channel.id)!r}")
            before = self._registered(kept).channel
            changed = Channel(before.id, before.kind, before.name, {**before.settings, **settings})
            if problems := connector.problems(changed.settings):
                raise WrongChannel("; ".join(problems))
            if connector.account(before.settings) != connector.account(changed.settings):
                raise WrongChannel("this is another account: its messages need a channel of their own")
            self._refuse_twins(tx, changed)
            _, _, _, public, secrets, *_ = self._row(changed, secret)
            tx.run("UPDATE channels SET settings = ?, secrets = ? WHERE id = ?", (public, secrets, str(channel.id)))
            tx.notify(TOPIC)
            return changed

        return await self._database.write(update)

    async def all(self) -> list[Registered]:
        """Return every channel that is not removed, in the order they were added."""
        rows = await self._database.read(
            lambda tx: tx.rows(f"SELECT {_COLUMNS} FROM channels WHERE state <> 'removed' ORDER BY created_at, id")
        )
        return [self._registered(row) for row in rows]

    async def find(self, id_or_name: str) -> Registered:
        """Return a channel that is not removed by its id or name. Raises WrongChannel."""
        for found in await self.all():
            if id_or_name in (str(found.channel.id), found.channel.name):
                return found
        raise WrongChannel(f"no channel {id_or_name!r}: see `okno channels list`")

    async def set_state(self, channel_id: UUID, state: State) -> None:
        def update(tx: Transaction) -> None:
            tx.run("UPDATE channels SET state = ? WHERE id = ?", (state, str(channel_id)))
            tx.notify(TOPIC)

        await self._database.write(update)

    def listen(self) -> Listener:
        """Return a listener that wakes when any channel was added, changed, paused, resumed or removed."""
        return self._database.listen(TOPIC)

    def _refuse_twins(self, tx: Transaction, channel: Channel) -> None:
        """A bot, say, gives each message to one program only: two channels of it would take them from each other."""
        unique = [field.name for field in load(channel.kind).fields if field.unique and channel.settings[field.name]]
        if not unique:
            return
        sql = f"SELECT {_COLUMNS} FROM channels WHERE state <> 'removed' AND kind = ? AND id <> ?"
        for row in tx.rows(sql, (channel.kind, str(channel.id))):
            other = self._registered(row).channel
            for name in unique:
                if other.settings[name] == channel.settings[name]:
                    raise WrongChannel(f"the channel {other.name!r} has this {name} already")

    def _row(self, channel: Channel, secret: set[str]) -> Row:
        settings, hidden = sealed_off(channel.settings, secret)
        secrets = self._box.seal(hidden)
        return (str(channel.id), channel.kind, channel.name, settings, secrets, "active", to_text(now()))

    def _registered(self, row: Row) -> Registered:
        id_, kind, name, settings, secrets, state, created_at = row
        values = {**_defaults(kind), **without_secrets(settings), **self._box.open(secrets)}
        return Registered(Channel(UUID(id_), kind, name, values), state, created_at)


def _name_problems(name: str) -> list[str]:
    """A channel is asked for by its id or its name: neither may be taken for the other, and both must be seen."""
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > NAME_CHARACTERS:
        return [f"the name must have 1 to {NAME_CHARACTERS} characters, and no space around it"]
    return ["the name must not look like an id"] if _is_id(name) else []


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


@cache
def _defaults(kind: str) -> dict[str, str]:
    """A channel that is older than a setting of its kind has the default; one of a kind that is gone has none."""
    return load(kind).complete({}) if kind in kinds() else {}


def _keep_others_out(tx: Transaction) -> None:
    """What only one channel may have is looked for and kept by one at a time; SQLite has one writer anyway."""
    if tx.dialect == "postgres":
        tx.run("LOCK TABLE channels IN SHARE ROW EXCLUSIVE MODE")


def _lock(tx: Transaction) -> str:
    """Two who change different settings at once must not undo each other's."""
    return " FOR UPDATE" if tx.dialect == "postgres" else ""


def channel_names(tx: Transaction) -> dict[str, tuple[str, str]]:
    """Return (kind, name) of every channel there ever was, by id: for showing history."""
    return {id_: (kind, name) for id_, kind, name in tx.rows("SELECT id, kind, name FROM channels")}
