"""Settings of a mailbox. An empty imap_host makes it send only, an empty smtp_host receive only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast
from uuid import UUID

from shared.connector import Capabilities, Field

Security = Literal["tls", "starttls", "none"]
SECURITIES = ("tls", "starttls", "none")
IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}
ALL = "all"
NEW = "new"

FIELDS = (
    Field("address", "the mailbox's own address, the From of every reply"),
    Field("imap_host", "IMAP server; empty: this mailbox only sends", ""),
    Field("imap_port", "empty: 993 for tls, 143 otherwise", ""),
    Field("imap_security", "tls, starttls, or none (only within one machine)", "tls", choices=SECURITIES),
    Field("imap_username", "empty: the address", ""),
    Field("imap_password", "password, or an app password where the provider asks for one", "", secret=True),
    Field("imap_folder", "the folder to read", "INBOX"),
    Field("first_fetch", "mails that are there on the first connect: all, new (none of them), or the last N days", ALL),
    Field("smtp_host", "SMTP server; empty: this mailbox only receives", ""),
    Field("smtp_port", "empty: 465 for tls, 587 for starttls, 25 for none", ""),
    Field("smtp_security", "tls, starttls, or none (only within one machine)", "tls", choices=SECURITIES),
    Field("smtp_username", "empty: the address if there is a password, else no login", ""),
    Field("smtp_password", "empty: no login", "", secret=True),
)
CAPABILITIES = Capabilities(receives_by="polling", sends=True, threads=True, files=True, repeat_is_safe=True)

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how to log in; an empty username means without login."""

    host: str
    port: int
    security: Security
    username: str
    password: str


def imap_server(settings: Mapping[str, str]) -> Server:
    return _server(settings, "imap", IMAP_PORTS, settings["imap_username"] or settings["address"])


def smtp_server(settings: Mapping[str, str]) -> Server:
    has_login = settings["smtp_username"] or settings["smtp_password"]
    return _server(
        settings, "smtp", SMTP_PORTS, (settings["smtp_username"] or settings["address"]) if has_login else ""
    )


def first_fetch(settings: Mapping[str, str]) -> timedelta | None:
    """Return how far back the first connect reaches: None is everything, zero is nothing."""
    match settings["first_fetch"]:
        case "all":
            return None
        case "new":
            return timedelta(0)
        case days:
            return timedelta(days=int(days))


def public_path(channel_id: UUID) -> str:
    """A mailbox has no webhook."""
    return ""


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings, in words for the person who set them."""
    wrong = [f"{name} contains a control character" for name, value in settings.items() if _CONTROL.search(value)]
    if not _ADDRESS.fullmatch(settings["address"]):
        wrong.append("address must look like support@example.com")
    if not settings["imap_host"] and not settings["smtp_host"]:
        wrong.append("give imap_host to receive, smtp_host to send, or both")
    if settings["imap_host"] and not settings["imap_password"]:
        wrong.append("imap_password is required to receive")
    wrong += [f"{name} must be a port number" for name in ("imap_port", "smtp_port") if not _is_port(settings[name])]
    if settings["first_fetch"] not in (ALL, NEW) and not re.fullmatch(r"[1-9]\d{0,4}", settings["first_fetch"]):
        wrong.append("first_fetch must be all, new or a number of days")
    return wrong


def _server(settings: Mapping[str, str], prefix: str, ports: Mapping[str, int], username: str) -> Server:
    security = settings[f"{prefix}_security"]
    port = int(settings[f"{prefix}_port"] or ports[security])
    host, password = settings[f"{prefix}_host"], settings[f"{prefix}_password"]
    return Server(host, port, cast(Security, security), username, password)


def _is_port(value: str) -> bool:
    return not value or (value.isascii() and value.isdigit() and 0 < int(value[:9]) < 65536)
