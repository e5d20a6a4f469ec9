"""PURE: a kept webhook -> the call it tells of, by the channel's provider."""

from __future__ import annotations

from shared.channels.telephony.providers import PROVIDERS
from shared.connector import Channel
from shared.parsed import Parsed, RawItem


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return the call in the state this webhook knows. Raises UnreadableItem."""
    return PROVIDERS[channel.settings["provider"]].read(item, channel)
