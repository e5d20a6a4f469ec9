"""The channel that a channel's answers leave by, where its settings name one: it must be there, and be a mailbox."""

from __future__ import annotations

from collections.abc import Iterable

from shared.connector import Channel
from shared.registry.channels import Registered, WrongChannel

SETTING, MAILBOX = "reply_channel", "email"


def problems(channel: Channel, all_: Iterable[Registered]) -> list[str]:
    """Return why nobody who writes to the channel can be answered. `all_`: every channel that was not removed."""
    named = channel.settings.get(SETTING, "")
    kinds = [each.channel.kind for each in all_ if str(each.channel.id) == named]
    if not named or kinds == [MAILBOX]:
        return []
    return [f"{SETTING} is no mailbox" if kinds else f"{SETTING} was removed: answers have no way to leave"]


def mailbox(named: Registered) -> str:
    """Return the setting's value for a channel that was named. Raises WrongChannel when no mail leaves by it."""
    if named.channel.kind != MAILBOX:
        raise WrongChannel(f"{SETTING} must be an e-mail channel, {named.channel.name!r} is {named.channel.kind}")
    return str(named.channel.id)
