"""Where Google and Microsoft give tokens for mail, and with what scope; every endpoint can be set otherwise.

Google has no device code for mail: its list of scopes for limited devices does not hold it
(developers.google.com/identity/protocols/oauth2/limited-input-device), so the consent happens in a browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MICROSOFT = "https://login.microsoftonline.com/common/oauth2/v2.0"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`device` (RFC 8628) is preferred to `consent` (RFC 8252); `lasts` is how long a refresh token is good for."""

    token: str
    device: str
    consent: str
    scope: str
    lasts: timedelta | None = None


PROVIDERS: Mapping[str, Endpoints] = MappingProxyType(
    {
        "google": Endpoints(
            token="https://oauth2.googleapis.com/token",  # noqa: S106 (an address)
            device="",
            consent="https://accounts.google.com/o/oauth2/v2/auth",
            scope="https://mail.google.com/",
        ),
        "microsoft": Endpoints(
            token=f"{_MICROSOFT}/token",
            device=f"{_MICROSOFT}/devicecode",
            consent=f"{_MICROSOFT}/authorize",
            scope=(
                "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
            ),
            # learn.microsoft.com/entra/identity-platform/refresh-tokens: 90 days; each use gives a new one
            lasts=timedelta(days=90),
        ),
        "custom": Endpoints("", "", "", ""),
    }
)


def endpoints(settings: Mapping[str, str]) -> Endpoints:
    """Return the provider's endpoints with what the settings say instead."""
    default = PROVIDERS[settings["oauth_provider"]]
    return Endpoints(
        token=settings["oauth_token_url"] or default.token,
        device=settings["oauth_device_url"] or ("" if settings["oauth_consent_url"] else default.device),
        consent=settings["oauth_consent_url"] or default.consent,
        scope=settings["oauth_scope"] or default.scope,
        lasts=default.lasts,
    )


def problems_of_endpoints(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the endpoints: secrets go there, so they are encrypted or on this machine."""
    where = endpoints(settings)
    wrong = [] if where.token else ["oauth_token_url is required for oauth_provider=custom"]
    given = {"oauth_token_url": where.token, "oauth_device_url": where.device, "oauth_consent_url": where.consent}
    return wrong + [f"{name} must begin with https://" for name, url in given.items() if url and not _is_safe(url)]


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )
    except ValueError:
        return False
