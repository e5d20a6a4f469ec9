"""An operator's reply to a mail, PURE. The Message-ID comes from the reply's id, so a repeat is the same mail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from shared.channels.email import charset
from shared.connector import Channel
from shared.contracts.inbound import Address, FileRef
from shared.contracts.outbound import OutboundReply, Quoted

MAX_REFERENCES = 20

_REPLY_PREFIX = re.compile(r"(re|aw|sv|ответ|отв)(\[\d+\])?\s*:", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f<>,;:\"()\[\]\\@]{1,64}@[^\s\x00-\x1f\x7f<>,;:\"()\[\]\\@]{1,250}")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,498}>")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,90}")
_MONTHS_RU = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_MONTHS_EN = "January February March April May June July August September October November December"


class NoRecipient(Exception):
    """The reply names no e-mail address that can be written to."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes over the wire; `needs_utf8` asks for SMTPUTF8 (an address that is not ASCII before its @)."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    needs_utf8: bool = False


def build(reply: OutboundReply, channel: Channel, files: Mapping[str, bytes]) -> Mail:
    """Return the mail; `files` holds the bytes of the attachments by sha256. Raises NoRecipient."""
    recipients = tuple(dict.fromkeys(ascii_domain(to.address) for to in reply.to if is_address(to)))
    if not recipients:
        raise NoRecipient("the reply has no e-mail address to go to")
    sender = ascii_domain(channel.settings["address"])
    needs_utf8 = not all(address.isascii() for address in (sender, *recipients))
    message = EmailMessage(policy=SMTPUTF8 if needs_utf8 else SMTP)
    message["From"] = _mailbox(sender, charset.one_line(reply.author or channel.name, 200))
    message["To"] = [_mailbox(address) for address in recipients]
    message["Subject"] = subject_of(reply)
    message["Date"] = format_datetime(reply.requested_at)
    message["Message-ID"] = message_id(reply, channel)
    _add_thread(message, reply)
    message.set_content(text_of(reply), charset="utf-8")
    for file in reply.files:
        _attach(message, file, files[file.sha256])
    if message.is_multipart():
        message.set_boundary(f"=_okno_{reply.id.hex}")
    return Mail(message["Message-ID"], sender, recipients, message.as_bytes(), needs_utf8)


def message_id(reply: OutboundReply, channel: Channel) -> str:
    """Return the one Message-ID of a reply, the same for every attempt."""
    return f"<okno.{reply.id}@{ascii_domain(channel.settings['address']).rpartition('@')[2]}>"


def subject_of(reply: OutboundReply) -> str:
    """Return the subject; a form without one gets words that say what the mail is, and keeps them (threads need it)."""
    if charset.one_line(reply.subject, 500) or _MESSAGE_ID.fullmatch(reply.in_reply_to):
        return reply_subject(reply.subject)
    asked = reply.quoted.text if reply.quoted else ""
    return "Ответ на ваше обращение" if _is_russian(asked or reply.text) else "Our answer to your message"


def reply_subject(subject: str) -> str:
    """Return the subject with one `Re:` in front."""
    subject = charset.one_line(subject, 500)
    return subject if _REPLY_PREFIX.match(subject) else f"Re: {subject}".strip()


def text_of(reply: OutboundReply) -> str:
    """Return the operator's text and below it the message answered, quoted."""
    text = charset.clean(reply.text).rstrip()
    if reply.quoted is None or not reply.quoted.text.strip():
        return text + "\n"
    quoted = charset.clean(reply.quoted.text).rstrip().split("\n")
    lines = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted]
    above = attribution(reply.quoted, russian=_is_russian(reply.text + reply.quoted.text))
    return "\n".join([text, "", above, *lines, ""])


def attribution(quoted: Quoted, *, russian: bool) -> str:
    """Return the line above a quotation, in the language of the conversation; the time in UTC."""
    at, author = quoted.occurred_at, charset.one_line(quoted.author, 200)
    month = (_MONTHS_RU if russian else _MONTHS_EN).split()[at.month - 1]
    if russian:
        return f"{at.day} {month} {at.year} г., {at:%H:%M} UTC, {author} пишет:"
    return f"On {month} {at.day}, {at.year}, at {at:%H:%M} UTC, {author} wrote:"


def ascii_domain(address: str) -> str:
    """Return an address with its domain in punycode, as SMTP servers without SMTPUTF8 need it."""
    local, at, domain = address.strip().rpartition("@")
    try:
        return local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        return address.strip()


def is_address(to: Address) -> bool:
    """Tell whether an address can be an envelope recipient."""
    return to.kind == "email" and _ADDRESS.fullmatch(to.address.strip()) is not None


def _mailbox(address: str, name: str = "") -> Mailbox:
    local, _, domain = address.rpartition("@")
    return Mailbox(name, local, domain)


def _add_thread(message: EmailMessage, reply: OutboundReply) -> None:
    """In-Reply-To and References (RFC 5322, 3.6.4): the first and the newest ids, so that the line stays short."""
    answered = [reply.in_reply_to] if _MESSAGE_ID.fullmatch(reply.in_reply_to) else []
    known = [each for each in dict.fromkeys([*reply.references, *answered]) if _MESSAGE_ID.fullmatch(each)]
    if answered:
        known = [each for each in known if each != answered[0]] + answered
        message["In-Reply-To"] = answered[0]
    if len(known) > MAX_REFERENCES:
        known = [known[0], *known[1 - MAX_REFERENCES :]]
    if known:
        message["References"] = " ".join(known)


def _attach(message: EmailMessage, file: FileRef, data: bytes) -> None:
    media_type = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    if media_type.startswith(("multipart/", "message/")):
        media_type = "application/octet-stream"
    main, sub = media_type.split("/")
    name = charset.one_line(file.name, 150) or "file"
    message.add_attachment(data, maintype=main, subtype=sub, filename=name)


def _is_russian(text: str) -> bool:
    letters = [c for c in text[:4_000] if c.isalpha()]
    return sum("а" <= c.lower() <= "я" or c in "ёЁ" for c in letters) * 2 > len(letters)
