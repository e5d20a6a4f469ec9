"""What a telephony channel can be set to; which secrets are needed depends on the provider."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from phonenumbers import SUPPORTED_REGIONS

from shared.channels.telephony.providers import PROVIDERS
from shared.connector import Capabilities, Field

CAPABILITIES = Capabilities(receives_by="webhook", sends=False)
FIELDS = (
    Field("provider", "who sends the webhooks", default="generic", choices=tuple(PROVIDERS)),
    Field("country", "two letters: where a number written without a country code belongs", default="RU"),
    Field("secret", "generic: the signing secret of Standard Webhooks, whsec_...", default="", secret=True),
)


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings."""
    wrong = PROVIDERS[settings["provider"]].problems(settings)
    return wrong + _country_problems(settings["country"])


def public_path(channel_id: UUID) -> str:
    """Return the path the provider posts to."""
    return f"/in/telephony/{channel_id}"


def _country_problems(country: str) -> list[str]:
    return [] if country in SUPPORTED_REGIONS else ["country must be two capital letters, as RU or DE"]
