"""Settings that a receiver changed itself (a new refresh token): kept, and no reason to start that receiver again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from shared.connector import Channel
from shared.registry.channels import ChannelRegistry


class KeptSettings:
    """The channels as the receivers of this process know them, the newest last; the registry may show any of them."""

    def __init__(self, registry: ChannelRegistry) -> None:
        self._registry = registry
        self._versions: dict[UUID, tuple[Channel, ...]] = {}

    async def keep(self, channel: Channel, changes: Mapping[str, str]) -> Channel:
        """Return the channel with the changes once they are durable.

        Known before: the registry may show them before its answer is here, and what the provider gave stays true if
        they cannot be kept. Raises DatabaseUnavailable, WrongChannel.
        """
        newest = self.newest(channel)
        changed = replace(newest, settings={**newest.settings, **changes})
        self._versions[channel.id] = (*self._of(channel), changed)
        await self._registry.change(newest, changes)
        return changed

    def newest(self, channel: Channel) -> Channel:
        """Return the channel with what its receiver changed."""
        return self._of(channel)[-1]

    def knows(self, channel: Channel, shown: Channel) -> bool:
        """Return whether the registry shows nothing that the receiver of `channel` does not know."""
        versions = self._of(channel)
        if shown not in versions:
            return False
        self._versions[channel.id] = versions[versions.index(shown) :]
        return True

    def forget(self, channel_id: UUID) -> None:
        """The receiver is stopped; the next one begins with what the registry shows."""
        self._versions.pop(channel_id, None)

    def _of(self, channel: Channel) -> tuple[Channel, ...]:
        return self._versions.get(channel.id, (channel,))
