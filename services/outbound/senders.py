"""The channels replies leave through, and one open Sender for each; a changed channel gets a new one.

An old Sender is closed when its last send is over, never under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from shared.connector import Channel, FileReader, Kind, Sender
from shared.logs import Log
from shared.registry.channels import ChannelRegistry, Registered

CLOSE_SECONDS = 10.0
log = Log("outbound.senders")


@dataclass(slots=True)
class _Open:
    """A Sender and how many sends use it. Not frozen: it counts."""

    channel: Channel
    sender: Sender
    users: int = 0
    retired: bool = False


class Senders:
    """`load_channels` before use, and again when the registry says so."""

    def __init__(self, registry: ChannelRegistry, load: Callable[[str], Kind], read_file: FileReader) -> None:
        self._registry, self._load, self._read_file = registry, load, read_file
        self._channels: dict[UUID, Registered] = {}
        self._open: dict[UUID, _Open] = {}
        self._opening: dict[UUID, asyncio.Lock] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def channels(self) -> dict[UUID, Registered]:
        """Every channel that is not removed, as last read."""
        return self._channels

    def kind(self, channel_id: UUID) -> Kind | None:
        """Return the kind of a channel, None for one that is not connected or not installed here."""
        found = self._channels.get(channel_id)
        try:
            return self._load(found.channel.kind) if found else None
        except LookupError:
            return None

    async def load_channels(self) -> set[UUID]:
        """Read the registry and return which channels are new or changed. Raises DatabaseUnavailable."""
        channels = {each.channel.id: each for each in await self._registry.all()}
        changed = {id_ for id_, each in channels.items() if self._channels.get(id_) != each}
        self._channels = channels
        for channel_id, opened in list(self._open.items()):
            if channel_id not in channels or channels[channel_id].channel != opened.channel:
                self._retire(channel_id)
        return changed

    @asynccontextmanager
    async def use(self, channel_id: UUID) -> AsyncIterator[Sender]:
        """Lend the channel's Sender. Raises LookupError for a channel that has gone, or what opening it raised."""
        opened = await self._opened(channel_id)
        opened.users += 1
        try:
            yield opened.sender
        finally:
            opened.users -= 1
            if opened.retired and not opened.users:
                self._close(opened)

    async def close(self) -> None:
        for channel_id in list(self._open):
            self._retire(channel_id)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _opened(self, channel_id: UUID) -> _Open:
        if opened := self._open.get(channel_id):
            return opened
        async with self._opening.setdefault(channel_id, asyncio.Lock()):
            if opened := self._open.get(channel_id):
                return opened
            channel = self._channels[channel_id].channel
            module = await asyncio.to_thread(self._load(channel.kind).module, "send")  # may import a large library
            opened = self._open[channel_id] = _Open(channel, module.sender(channel, self._read_file))
            return opened

    def _retire(self, channel_id: UUID) -> None:
        opened = self._open.pop(channel_id)
        opened.retired = True
        if not opened.users:
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        task = asyncio.create_task(_closed(opened), name=f"close-sender-{opened.channel.id}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _closed(opened: _Open) -> None:
    """Nothing depends on a Sender's farewell, so a failing one is told and left."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await opened.sender.close()
    except Exception as error:
        log.error("sender_not_closed", error, channel_id=opened.channel.id)
