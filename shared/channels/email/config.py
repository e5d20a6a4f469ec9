"""Settings of a mailbox. An empty imap_host makes it send only, an empty smtp_host receive only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast
from uuid import UUID

from shared.capabilities import Capabilities, Field
from shared.channels.email.oauth_providers import PROVIDERS, problems_of_endpoints
from shared.channels.email.signed import key_of
from shared.clock import from_text
from shared.domain.signature import OWN, VARIABLES, unknown_variables

Security = Literal["tls", "starttls", "none"]
SECURITIES = ("tls", "starttls", "none")
IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}
ALL = "all"
NEW = "new"
SHORTEST_KEY_BYTES = 16
SIGNATURE_VARIABLES = ", ".join("{" + name + "}" for name in (*VARIABLES, OWN))

FIELDS = (
    Field("address", "the mailbox's own address, the From of every reply"),
    Field("imap_host", "IMAP server; empty: this mailbox only sends", ""),
    Field("imap_port", "empty: 993 for tls, 143 otherwise", ""),
    Field("imap_security", "tls, starttls, or none (only within one machine)", "tls", choices=SECURITIES),
    Field("imap_username", "empty: the address", ""),
    Field("imap_password", "password, or an app password where the provider asks for one", "", secret=True),
    Field("imap_folder", "the folder to read; several with commas between them", "INBOX"),
    Field("first_fetch", "mails that are there on the first connect: all, new (none of them), or the last N days", ALL),
    Field("after_receiving", "what to do with a mail once it is kept", "nothing", choices=("nothing", "seen", "move")),
    Field("move_to", "the folder for after_receiving=move", ""),
    Field("smtp_host", "SMTP server; empty: this mailbox only receives", ""),
    Field("smtp_port", "empty: 465 for tls, 587 for starttls, 25 for none", ""),
    Field("smtp_security", "tls, starttls, or none (only within one machine)", "tls", choices=SECURITIES),
    Field("smtp_username", "empty: the address if there is a password, else no login", ""),
    Field("smtp_password", "empty: no login", "", secret=True),
    Field("sent_folder", "IMAP folder for copies of what was sent; empty: none", ""),
    Field("signature", f"below every reply; {SIGNATURE_VARIABLES} are filled in; \\n is a new line", ""),
    Field("organisation", "what {organisation} stands for in signatures; empty: the channel's name", ""),
    Field("auto_reply", "sent by itself to whoever writes, once a day; \\n is a new line; empty: nothing is sent", ""),
    Field("plus_addressing", "answers go to a signed address+...@", "no", choices=("no", "yes")),
    Field("reply_key", "signs Message-IDs and reply addresses; made when the channel is added", "", secret=True),
    Field("authserv_id", "the name your own mail server has in Authentication-Results; empty: none is believed", ""),
    Field("auth", "how to log in: password, or oauth (Gmail, Outlook)", "password", choices=("password", "oauth")),
    Field("oauth_provider", "who asks for the consent", "google", choices=tuple(PROVIDERS)),
    Field("oauth_client_id", "the id of your application at the provider", ""),
    Field("oauth_client_secret", "its secret, where it has one", "", secret=True),
    Field("oauth_refresh_token", "empty: asked for when the channel is added", "", secret=True),
    Field("oauth_expires_at", "when the consent ends (RFC 3339), where that is known", ""),
    Field("oauth_token_url", "empty: the provider's", ""),
    Field("oauth_device_url", "empty: the provider's; for a consent by a code typed on any device", ""),
    Field("oauth_consent_url", "empty: the provider's; for a consent in a browser on this machine", ""),
    Field("oauth_scope", "empty: the provider's scope for mail", ""),
    Field("receive_by", "fetch by imap, or let a mail server hand over", "imap", choices=("imap", "lmtp", "smtp")),
    Field("listen_host", "for receive_by lmtp or smtp: where to listen", "127.0.0.1"),
    Field("listen_port", "for receive_by lmtp or smtp", ""),
    Field("listen_certificate", "file with the certificate chain (PEM): mail is taken after STARTTLS only", ""),
    Field("listen_key", "file with its key; empty: in the same file", ""),
    Field("listen_for", "addresses and @domains taken, with commas; empty: the address and its address+...@", ""),
)
CAPABILITIES = Capabilities(
    receives_by="polling", sends=True, threads=True, files=True, delivery_reports=True, markup=True, recipients=True,
    tells_later=True, repeat_is_safe=True,
)  # fmt: skip

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how to log in; an empty username means without login, `oauth` by an access token."""

    host: str
    port: int
    security: Security
    username: str
    password: str
    oauth: bool = False


def imap_server(settings: Mapping[str, str]) -> Server:
    return _server(settings, "imap", IMAP_PORTS, settings["imap_username"] or settings["address"])


def smtp_server(settings: Mapping[str, str]) -> Server:
    has_login = settings["smtp_username"] or settings["smtp_password"] or uses_oauth(settings)
    username = (settings["smtp_username"] or settings["address"]) if has_login else ""
    return _server(settings, "smtp", SMTP_PORTS, username)


def uses_oauth(settings: Mapping[str, str]) -> bool:
    return settings["auth"] == "oauth"


def folders(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders to read, the first one being the one the channel cannot do without."""
    names = [name.strip() for name in settings["imap_folder"].split(",") if name.strip()]
    return tuple(dict.fromkeys("INBOX" if name.upper() == "INBOX" else name for name in names))


def listens_for(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return addresses and @domains, in lower case, that mail is taken for."""
    return tuple(each.strip().lower() for each in settings["listen_for"].split(",") if each.strip())


def first_fetch(settings: Mapping[str, str]) -> timedelta | None:
    """Return how far back the first connect reaches: None is everything, zero is nothing."""
    match settings["first_fetch"]:
        case "all":
            return None
        case "new":
            return timedelta(0)
        case days:
            return timedelta(days=int(days))


def consent_ends_at(settings: Mapping[str, str]) -> datetime | None:
    return from_text(settings["oauth_expires_at"]) if settings["oauth_expires_at"] else None


def public_path(channel_id: UUID) -> str:
    """A mailbox has no webhook."""
    return ""


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings, in words for the person who set them."""
    lines = {**settings, **{name: settings[name].replace("\n", "") for name in ("signature", "auto_reply")}}
    wrong = [f"{name} contains a control character" for name, value in lines.items() if _CONTROL.search(value)]
    if not _ADDRESS.fullmatch(settings["address"]):
        wrong.append("address must look like support@example.com")
    ports = ("imap_port", "smtp_port", "listen_port")
    wrong += [f"{name} must be a port number" for name in ports if not _is_port(settings[name])]
    return wrong + _receiving(settings) + _sending(settings) + _login(settings)


def _receiving(settings: Mapping[str, str]) -> list[str]:
    wrong = []
    listens = settings["receive_by"] != "imap"
    if listens and not settings["listen_port"]:
        wrong.append(f"listen_port is required to receive by {settings['receive_by']}")
    if not settings["imap_host"] and not settings["smtp_host"] and not listens:
        wrong.append("give imap_host to receive, smtp_host to send, or both")
    if settings["first_fetch"] not in (ALL, NEW) and not re.fullmatch(r"[1-9]\d{0,4}", settings["first_fetch"]):
        wrong.append("first_fetch must be all, new or a number of days")
    if not folders(settings):
        wrong.append("imap_folder names no folder")
    if settings["after_receiving"] == "move" and not settings["move_to"]:
        wrong.append("move_to is required for after_receiving=move")
    if settings["after_receiving"] == "move" and settings["move_to"] in folders(settings):
        wrong.append("move_to is one of the folders that are read")
    return wrong


def _sending(settings: Mapping[str, str]) -> list[str]:
    wrong = []
    if settings["sent_folder"] and not settings["imap_host"]:
        wrong.append("sent_folder needs imap_host")
    if settings["sent_folder"] and settings["sent_folder"] in folders(settings):
        wrong.append("sent_folder is one of the folders that are read")
    if settings["reply_key"] and len(key_of(settings["reply_key"])) < SHORTEST_KEY_BYTES:
        wrong.append(f"reply_key must be at least {SHORTEST_KEY_BYTES} bytes in hex")
    if settings["auto_reply"] and not settings["smtp_host"]:
        wrong.append("auto_reply needs smtp_host")
    unknown = unknown_variables(settings["signature"], of_mailbox=True)
    wrong += [f"signature: there is no {{{name}}}" for name in unknown]
    return wrong


def _login(settings: Mapping[str, str]) -> list[str]:
    if not uses_oauth(settings):
        missing = settings["imap_host"] and settings["receive_by"] == "imap" and not settings["imap_password"]
        return ["imap_password is required to receive"] if missing else []
    wrong = [] if settings["oauth_client_id"] else ["oauth_client_id is required for auth=oauth"]
    wrong += [
        f"{name} with auth=oauth needs tls or starttls: a token must not travel in the open"
        for name in ("imap", "smtp")
        if settings[f"{name}_host"] and settings[f"{name}_security"] == "none" and not _is_here(settings, name)
    ]
    try:
        consent_ends_at(settings)
    except ValueError:
        wrong.append("oauth_expires_at must be a time like 2026-11-21T10:00:00Z")
    return wrong + problems_of_endpoints(settings)


def _is_here(settings: Mapping[str, str], name: str) -> bool:
    return settings[f"{name}_host"] in ("localhost", "127.0.0.1", "::1")


def _server(settings: Mapping[str, str], prefix: str, ports: Mapping[str, int], username: str) -> Server:
    security = settings[f"{prefix}_security"]
    port = int(settings[f"{prefix}_port"] or ports[security])
    oauth = uses_oauth(settings)
    host, password = settings[f"{prefix}_host"], "" if oauth else settings[f"{prefix}_password"]
    return Server(host, port, cast(Security, security), username, password, oauth)


def _is_port(value: str) -> bool:
    return not value or (value.isascii() and value.isdigit() and 0 < int(value[:9]) < 65536)
