"""What is said when a form is added: our own form on a page or alone, and what is missing for people to be answered."""

from __future__ import annotations

from collections.abc import Callable

from shared.channels.web_form.config import words
from shared.connector import HERE, Channel, SetUp

_NO_ADDRESS = "OKNO_PUBLIC_URL: the address at which browsers elsewhere reach this server"
_NO_ORIGINS = "allowed_origins: without it pages of other sites may not post here"
_NO_MAILBOX = "reply_channel: without a mailbox nobody who fills in the form can be answered"


async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
    """Return where the form is, for whoever looks after the site."""
    settings = channel.settings
    shown = f"{HERE}/forms/{channel.id}"
    facts = (
        f'put a form of ours on a page: <script async src="{shown}.js"></script>',
        f"or give people {shown}",
    )
    missing = [] if public_url else [_NO_ADDRESS]
    missing += [] if words(settings["allowed_origins"]) else [_NO_ORIGINS]
    missing += [] if settings["reply_channel"] else [_NO_MAILBOX]
    return SetUp(facts, tuple(missing))
