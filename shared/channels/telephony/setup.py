"""What is said when a telephony channel is added: where the provider must post, and what is missing for more."""

from __future__ import annotations

from collections.abc import Callable

from shared.channels.telephony.config import NEEDED_TO_CALL, public_path
from shared.connector import Channel, SetUp

_WHERE = {
    "generic": "Post signed webhooks to {address}.",
    "twilio": "In Twilio, set the number's status callback, or its voice URL, to {address} (POST).",
    "mango": "In Mango Office, enter {address} as the address of the external system.",
    "zadarma": "In Zadarma, enter {address} for the notifications of the PBX; the address is checked at once.",
    "uis": "In UIS, post the notifications (HTTP, POST, JSON) to {address}?token=... with the channel's token.",
}
_NO_ADDRESS = "OKNO_PUBLIC_URL: the provider can post only to an address that it can reach"
_NO_CALLS = "{}: without it no call can be started from Okno, numbers are only shown as tel: links"
_NO_HISTORY = "access_token: without it the provider's history is not asked for calls whose webhooks never came"


async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
    """Return what to enter at the provider; Twilio signs our public address, so the channel keeps it."""
    provider, settings = channel.settings["provider"], channel.settings
    base = (settings["public_url"] or public_url).rstrip("/")
    fact = _WHERE[provider].format(address=f"{base or 'https://...'}{public_path(channel.id)}")
    missing = [_NO_CALLS.format(name) for name in NEEDED_TO_CALL.get(provider, ()) if not settings[name]]
    missing += [_NO_HISTORY] if provider == "uis" and not settings["access_token"] else []
    missing += [] if base else [_NO_ADDRESS]
    keeps = {"public_url": base} if provider == "twilio" and base and not settings["public_url"] else {}
    return SetUp((fact,), tuple(missing), keeps)
