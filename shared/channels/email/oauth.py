"""Access tokens for XOAUTH2, renewed before they end. The refresh token is the secret everything hangs on.

A provider may give a new refresh token with any answer (Microsoft does each time): `on_renewed` hears of it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from shared.channels.email import config
from shared.channels.email.oauth_providers import Endpoints, endpoints
from shared.clock import now, to_text
from shared.connector import ReceiverRefused

HTTP_SECONDS = 15.0
ANSWER_BYTES = 1024 * 1024
RENEW_BEFORE = timedelta(minutes=5)
WARN_BEFORE = timedelta(days=14)
WORTH_KEEPING = timedelta(days=7)
"""Microsoft gives a new refresh token each hour and leaves the old one good: once a week is enough to keep it."""
DEFAULT_LIFE_SECONDS = 3600
SHORTEST_LIFE_SECONDS = 30

_FINAL = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "access_denied"})


class OAuthUnreachable(ConnectionError):
    """The provider gave no usable answer; try later."""


class ConsentEnded(PermissionError, ReceiverRefused):
    """The provider refuses the refresh token: a person must consent again. The text says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint gave; the times are moments, None where the provider does not tell."""

    access_token: str
    ends_at: datetime
    refresh_token: str
    consent_ends_at: datetime | None

    @property
    def settings(self) -> dict[str, str]:
        """Return what is to be kept of it."""
        ends = to_text(self.consent_ends_at) if self.consent_ends_at else ""
        return {"oauth_refresh_token": self.refresh_token, "oauth_expires_at": ends}


class Tokens:
    """The access tokens of one mailbox. `on_renewed` is told the settings that changed, before the token is used."""

    def __init__(
        self,
        settings: Mapping[str, str],
        on_renewed: Callable[[Mapping[str, str]], Awaitable[None]] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._client = client_fields(settings)
        self._endpoints, self._on_renewed, self._clock = endpoints(settings), on_renewed, clock
        self._refresh_token = settings["oauth_refresh_token"]
        self._consent_ends_at = self._kept_ends_at = config.consent_ends_at(settings)
        self._grant: Grant | None = None
        self._renew_at = clock()
        self._renewing = asyncio.Lock()

    async def access_token(self) -> str:
        """Return a token good for some minutes. Raises ConsentEnded, OAuthUnreachable."""
        async with self._renewing:
            if self._grant is None or self._clock() >= self._renew_at:
                self._grant = await self._renewed()
                life = self._grant.ends_at - self._clock()
                self._renew_at = self._grant.ends_at - min(RENEW_BEFORE, life / 4)
            return self._grant.access_token

    @property
    def seconds_left(self) -> float:
        """Return after how long a session should begin anew with another token."""
        return (self._renew_at - self._clock()).total_seconds()

    def refused(self) -> None:
        """The server did not take the token: get another one next time."""
        self._grant = None

    def warning(self) -> str | None:
        """Return what to tell the person when the consent ends soon."""
        if self._consent_ends_at is None or self._consent_ends_at - self._clock() > WARN_BEFORE:
            return None
        return f"the consent for this mailbox ends on {self._consent_ends_at:%Y-%m-%d}: use `okno channels renew`"

    async def _renewed(self) -> Grant:
        if not self._refresh_token:
            raise ConsentEnded("nobody has consented yet: oauth_refresh_token is empty")
        form = {**self._client, "grant_type": "refresh_token", "refresh_token": self._refresh_token}
        status, answer = await post_form(self._endpoints.token, form)
        if status != 200:
            raise refusal(status, answer)
        grant = grant_of(answer, self._endpoints, self._clock(), self._refresh_token, self._consent_ends_at)
        worth_keeping = self._is_worth_keeping(grant)
        self._refresh_token, self._consent_ends_at = grant.refresh_token, grant.consent_ends_at
        if worth_keeping and self._on_renewed is not None:
            self._kept_ends_at = grant.consent_ends_at
            await self._on_renewed(grant.settings)
        return grant

    def _is_worth_keeping(self, grant: Grant) -> bool:
        if grant.refresh_token == self._refresh_token:
            return False
        kept, ends = self._kept_ends_at, grant.consent_ends_at
        return kept is None or ends is None or ends - kept >= WORTH_KEEPING


def client_fields(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what names our application to the token endpoint (RFC 6749, 2.3.1)."""
    secret = settings["oauth_client_secret"]
    return {"client_id": settings["oauth_client_id"], **({"client_secret": secret} if secret else {})}


def grant_of(
    answer: Mapping[str, Any], where: Endpoints, at: datetime, refresh_token: str = "", ends: datetime | None = None
) -> Grant:
    """Return what an answer grants (RFC 6749, 5.1); without a new refresh token the old one and its end stand."""
    access = answer.get("access_token")
    if not isinstance(access, str) or not access.isascii() or not access.isprintable():
        raise OAuthUnreachable("the token endpoint answered without an access token")
    life = max(_seconds(answer.get("expires_in")) or DEFAULT_LIFE_SECONDS, SHORTEST_LIFE_SECONDS)
    told = _seconds(answer.get("refresh_token_expires_in")) or _seconds(answer.get("refresh_expires_in"))
    renewed = str(answer.get("refresh_token") or "") or refresh_token
    if told is not None:
        ends = at + timedelta(seconds=told)
    elif renewed != refresh_token:
        ends = at + where.lasts if where.lasts else None
    return Grant(access, at + timedelta(seconds=life), renewed, ends)


def refusal(status: int, answer: Mapping[str, Any]) -> Exception:
    """Return what an error answer means (RFC 6749, 5.2)."""
    words = f"{status} {answer.get('error') or ''}: {answer.get('error_description') or ''}".strip(": ")[:500]
    if answer.get("error") in _FINAL:
        return ConsentEnded(f"the consent is no longer valid, ask for it again ({words})")
    return OAuthUnreachable(f"the token endpoint refused: {words}")


async def post_form(url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of the answer. Raises OAuthUnreachable."""
    try:
        async with asyncio.timeout(HTTP_SECONDS * 2):
            status, body = await asyncio.to_thread(_post, url, urlencode(form).encode())
        answer = json.loads(body)
    except (OSError, TimeoutError, http.client.HTTPException, ValueError) as error:
        host = urlsplit(url).hostname
        raise OAuthUnreachable(
            f"the token endpoint at {host} cannot be used: {error or type(error).__name__}"
        ) from error
    return status, answer if isinstance(answer, dict) else {}


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=HTTP_SECONDS)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        connection.request("POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES)
    finally:
        connection.close()


def _seconds(value: object) -> int | None:
    """Some providers write the number as a text."""
    try:
        return min(int(value), 10**9) if isinstance(value, int | str) and int(value) > 0 else None
    except ValueError:
        return None
