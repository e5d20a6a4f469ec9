"""What happens when a mailbox is added: the consent is asked for, and both logins are tried, in plain words."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from aiosmtplib import SMTPException

from shared.channels.email import config, consent
from shared.channels.email.answers import raise_send_error
from shared.channels.email.imap import CommandRefused, Connection, ImapError, LoginRefused
from shared.channels.email.oauth import ConsentEnded, OAuthUnreachable, Tokens
from shared.channels.email.pool import Pool
from shared.connector import Channel, SendError, SetUp, SetUpProblem
from shared.said import said

KEY_BYTES = 32

_APP_PASSWORDS = {
    "gmail.com": "Gmail wants an app password, or auth=oauth",
    "yandex.": "Yandex wants an app password, and IMAP switched on in the mailbox's settings",
    "mail.ru": "Mail.ru wants a password for external applications",
    "outlook.": "Microsoft takes no passwords any more: use auth=oauth",
    "office365.com": "Microsoft takes no passwords any more: use auth=oauth",
}


async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
    """Return what was found, and the settings made on the way. Raises SetUpProblem."""
    made: dict[str, str] = {}
    if not channel.settings["reply_key"]:
        made["reply_key"] = secrets.token_hex(KEY_BYTES)
    if config.uses_oauth(channel.settings) and not channel.settings["oauth_refresh_token"]:
        made |= await _consent(channel.settings, say)
    settings = {**channel.settings, **made}
    tokens = Tokens(settings, _keeper(made)) if config.uses_oauth(settings) else None
    found = await _try_imap(settings, tokens)
    found = _joined(found, await _try_smtp(settings, tokens))
    return replace(_joined(found, _listening(settings)), settings=made)


async def _consent(settings: Mapping[str, str], say: Callable[[str], None]) -> dict[str, str]:
    try:
        return (await consent.ask(settings, say)).settings
    except (OAuthUnreachable, ConsentEnded) as error:
        raise SetUpProblem(f"no consent: {error}") from error


def _keeper(made: dict[str, str]) -> Callable[[Mapping[str, str]], Awaitable[None]]:
    async def keep(changes: Mapping[str, str]) -> None:
        made.update(changes)

    return keep


# --- IMAP -------------------------------------------------------------------------------------------------


async def _try_imap(settings: Mapping[str, str], tokens: Tokens | None) -> SetUp:
    if not settings["imap_host"]:
        return SetUp()
    server = config.imap_server(settings)
    connection = Connection(server, tokens)
    try:
        await connection.open()
        facts = [f"IMAP: logged in to {server.host}:{server.port} as {server.username}", _arrivals(connection)]
        return SetUp(tuple(facts), await _check_folders(connection, settings))
    except (ImapError, ConsentEnded, OAuthUnreachable) as error:
        raise SetUpProblem(f"IMAP at {server.host}:{server.port}: {_advice(error, server)}") from error
    finally:
        connection.close()


def _arrivals(connection: Connection) -> str:
    if connection.can("IDLE"):
        return "new mails are told of at once (IDLE)"
    return "the server does not tell of new mails: it is asked every 10 seconds"


async def _check_folders(connection: Connection, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return what could be better. Raises SetUpProblem for a folder that cannot be read."""
    there = await connection.folders()
    for name in config.folders(settings) if settings["receive_by"] == "imap" else ():
        try:
            await connection.select(name)
        except CommandRefused as error:
            known = ", ".join(sorted(there)[:30])
            raise SetUpProblem(f"the folder {name!r} cannot be read ({error}); there are: {known}") from error
    sent = [name for name, flags in there.items() if "\\sent" in flags.lower()]
    if settings["smtp_host"] and not settings["sent_folder"] and sent:
        return (f"what you send will not be in the mailbox's own folder; sent_folder={sent[0]} puts copies there",)
    return ()


# --- SMTP -------------------------------------------------------------------------------------------------


async def _try_smtp(settings: Mapping[str, str], tokens: Tokens | None) -> SetUp:
    if not settings["smtp_host"]:
        return SetUp()
    server = config.smtp_server(settings)
    pool = Pool(settings, tokens)
    try:
        client = await pool.connect()
    except (SMTPException, OSError, ValueError) as error:
        said = _advice(_in_words(error), server)
        raise SetUpProblem(f"SMTP at {server.host}:{server.port}: {said}") from error
    login = f"logged in to {server.host}:{server.port} as {server.username}" if server.username else "no login needed"
    utf8 = client.supports_extension("smtputf8")
    pool.give_back(client)
    await pool.close()
    missing = () if utf8 else ("the SMTP server cannot write to addresses with non-ASCII letters (no SMTPUTF8)",)
    return SetUp((f"SMTP: {login}",), missing)


def _in_words(error: Exception) -> Exception:
    try:
        raise_send_error(error, connecting=True)
    except SendError as told:
        return told


# --- words ------------------------------------------------------------------------------------------------


def _listening(settings: Mapping[str, str]) -> SetUp:
    if settings["receive_by"] == "imap":
        return SetUp()
    where = f"{settings['listen_host']}:{settings['listen_port']}"
    return SetUp((f"Okno will take mails by {settings['receive_by'].upper()} at {where} while it runs",))


def _advice(error: Exception, server: config.Server) -> str:
    text = said(error)
    if "WRONG_VERSION_NUMBER" in text.upper() or "record layer failure" in text.lower():
        return f"this port does not begin with TLS; try security starttls ({text})"
    refused = isinstance(error, LoginRefused) or getattr(error, "code", "") in ("535", "534")
    if refused and not server.oauth:
        hint = next((words for host, words in _APP_PASSWORDS.items() if host in server.host), "")
        return f"the server does not take this user name and password. {hint} ({text})".replace("  ", " ")
    return text


def _joined(one: SetUp, other: SetUp) -> SetUp:
    return SetUp(one.facts + other.facts, one.missing + other.missing)
