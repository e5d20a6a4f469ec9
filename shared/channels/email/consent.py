"""Asks a person for consent to a mailbox: by a code typed on any device, or in a browser on this machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from shared.channels.email.oauth import Grant, client_fields, grant_of, post_form, refusal
from shared.channels.email.oauth_providers import Endpoints, endpoints
from shared.clock import now
from shared.connector import SetUpProblem

CONSENT_SECONDS = 900.0
POLL_SECONDS = 5.0
SLOW_DOWN_SECONDS = 5.0

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"Thank you. You can close this page and go back to the terminal.\n"
)

Say = Callable[[str], None]


async def ask(settings: Mapping[str, str], say: Say) -> Grant:
    """Return the grant once the person has consented. Raises SetUpProblem, OAuthUnreachable, ConsentEnded."""
    where = endpoints(settings)
    if not where.device and not where.consent:
        raise SetUpProblem("give oauth_device_url or oauth_consent_url, or an oauth_refresh_token")
    try:
        async with asyncio.timeout(CONSENT_SECONDS):
            grant = await (_by_code if where.device else _by_browser)(settings, where, say)
    except TimeoutError:
        raise SetUpProblem("nobody consented in time; add the channel again") from None
    if not grant.refresh_token:
        raise SetUpProblem("the provider gave no refresh token: allow offline access for your application")
    return grant


async def _by_code(settings: Mapping[str, str], where: Endpoints, say: Say) -> Grant:
    """RFC 8628: show a code, then ask the token endpoint until it was typed."""
    status, told = await post_form(where.device, {**client_fields(settings), "scope": where.scope})
    if status != 200 or not told.get("device_code"):
        raise refusal(status, told)
    page = told.get("verification_uri") or told.get("verification_url")
    say(f"Open {page} and type the code {told.get('user_code')} as the owner of {settings['address']}.")
    form = {**client_fields(settings), "grant_type": _DEVICE_GRANT, "device_code": str(told["device_code"])}
    pause = float(told.get("interval") or POLL_SECONDS)
    while True:
        await asyncio.sleep(pause)
        status, answer = await post_form(where.token, form)
        match answer.get("error"):
            case None if status == 200:
                return grant_of(answer, where, now())
            case "authorization_pending":
                continue
            case "slow_down":
                pause += SLOW_DOWN_SECONDS
            case "access_denied" | "authorization_declined":
                raise SetUpProblem("the consent was refused")
            case "expired_token":
                raise SetUpProblem("the code was not typed in time; add the channel again")
            case _:
                raise refusal(status, answer)


async def _by_browser(settings: Mapping[str, str], where: Endpoints, say: Say) -> Grant:
    """RFC 8252 with PKCE: the provider sends the browser back to a port on this machine."""
    came: asyncio.Future[dict[str, list[str]]] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda r, w: _redirected(r, w, came), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        back, state, verifier = f"http://127.0.0.1:{port}", secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        say(f"Open this page in a browser on this machine, as the owner of {settings['address']}:")
        say(f"{where.consent}?{urlencode(_question(settings, where, back, state, verifier))}")
        say(f"(The browser is elsewhere? Run there first: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE)")
        answer = await came
    finally:
        server.close()
    if answer.get("state") != [state] or not answer.get("code"):
        raise SetUpProblem(f"the consent was refused: {' '.join(answer.get('error', ['no code came back']))[:200]}")
    form = {
        **client_fields(settings),
        "grant_type": "authorization_code",
        "code": answer["code"][0],
        "redirect_uri": back,
        "code_verifier": verifier,
    }
    status, told = await post_form(where.token, form)
    if status != 200:
        raise refusal(status, told)
    return grant_of(told, where, now())


def _question(settings: Mapping[str, str], where: Endpoints, back: str, state: str, verifier: str) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return {
        "client_id": settings["oauth_client_id"],
        "response_type": "code",
        "redirect_uri": back,
        "scope": where.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": settings["address"],
        # Google gives a refresh token only when asked so (developers.google.com/identity/protocols/oauth2/native-app)
        "access_type": "offline",
        "prompt": "consent",
    }


async def _redirected(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, came: asyncio.Future[dict[str, list[str]]]
) -> None:
    """Take the first request that carries an answer; a browser asks for its icon as well."""
    try:
        async with asyncio.timeout(10):
            target = (await reader.readline()).split()[1:2]
            while (await reader.readline()).strip():
                pass
            writer.write(_PAGE)
            await writer.drain()
        answer = parse_qs(urlsplit(target[0].decode("ascii", "replace")).query) if target else {}
        if ("code" in answer or "error" in answer) and not came.done():
            came.set_result(answer)
    except (OSError, TimeoutError, ValueError):
        return  # somebody else's half request: the browser comes again
    finally:
        writer.close()
