"""What a telephony channel can be set to; which secrets are needed depends on the provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import SUPPORTED_REGIONS

from shared.capabilities import Capabilities, Field
from shared.channels.telephony.providers import PROVIDERS

CAPABILITIES = Capabilities(receives_by="webhook", sends=True, files=True, calls=True)
NEEDED_TO_CALL: Mapping[str, tuple[str, ...]] = {
    "twilio": ("caller_number",),
    "mango": (),
    "zadarma": (),
    "uis": ("access_token", "caller_number"),
}
"""The settings, besides the required ones, without which no call can be started; the generic provider has no API."""
FIELDS = (
    Field("provider", "who sends the webhooks", default="generic", choices=tuple(PROVIDERS)),
    Field("country", "two letters: where a number written without a country code belongs", default="RU"),
    Field("secret", "generic: the signing secret of Standard Webhooks, whsec_...", default="", secret=True),
    Field("account_sid", "twilio: the account's SID, AC...", default=""),
    Field("auth_token", "twilio: the account's auth token", default="", secret=True),
    Field("api_key", "mango, zadarma: the API key", default="", secret=True),
    Field("api_salt", "mango: the key that signs (salt)", default="", secret=True),
    Field("api_secret", "zadarma: the API secret", default="", secret=True),
    Field("token", "uis: the secret in the webhook's address, ?token=...", default="", secret=True),
    Field("access_token", "uis: the key of Data API and Call API, for history and calls", default="", secret=True),
    Field(
        "caller_number",
        "twilio, uis (with access_token), mango: our number that is shown when an operator calls",
        default="",
    ),
    Field("forward_to", "twilio: numbers, separated by commas, that an incoming call is put through to", default=""),
    Field("timezone", "zadarma, uis: the clock of the account, as Europe/Moscow", default="UTC"),
    Field("public_url", "twilio: our address as Twilio knows it, https://...; empty: as requests name it", default=""),
    Field("api_url", "the provider's API elsewhere than usual (a server of one's own, a test)", default=""),
)
_ADDRESSES = ("public_url", "api_url")


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings."""
    wrong = PROVIDERS[settings["provider"]].problems(settings)
    wrong += _country_problems(settings["country"]) + _zone_problems(settings["timezone"])
    return wrong + [f"{name} must be http(s)://..." for name in _ADDRESSES if not _is_address(settings[name])]


def capabilities(settings: Mapping[str, str]) -> Capabilities:
    """Return what a channel with these settings can do: not each can start a call."""
    needed = NEEDED_TO_CALL.get(settings.get("provider", ""))
    return replace(CAPABILITIES, calls=needed is not None and all(settings.get(name) for name in needed))


def public_path(channel_id: UUID) -> str:
    """Return the path the provider posts to."""
    return f"/in/telephony/{channel_id}"


def _country_problems(country: str) -> list[str]:
    return [] if country in SUPPORTED_REGIONS else ["country must be two capital letters, as RU or DE"]


def _zone_problems(zone: str) -> list[str]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ["timezone must be a name as Europe/Moscow"]
    return []


def _is_address(given: str) -> bool:
    if not given:
        return True
    try:
        parts = urlsplit(given)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        return False
