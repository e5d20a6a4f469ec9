"""An operator's reply to a mail, PURE. The Message-ID comes from the reply's id, so a repeat is the same mail.

Nothing of it raises but NoRecipient: what has no place in a header or an address is left out or made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from uuid import UUID

from shared.channels.email import charset, content, signed
from shared.connector import Channel
from shared.contracts.inbound import Address
from shared.contracts.outbound import OutboundReply

MAX_REFERENCES = 20
LOCAL_PART_BYTES = 64

_ASCII, _UTF8 = SMTP.clone(cte_type="7bit"), SMTPUTF8.clone(cte_type="7bit")
"""Bodies travel in ASCII: not every server on the way has 8BITMIME (RFC 6152)."""
_REPLY_PREFIX = re.compile(r"(re|aw|sv|ответ|отв)(\[\d+\])?\s*:", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f<>,;:\"()\[\]\\@]{1,64}@[^\s\x00-\x1f\x7f<>,;:\"()\[\]\\@]{1,250}")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,498}>")


class NoRecipient(Exception):
    """The reply names no e-mail address that can be written to."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes over the wire; `needs_utf8` asks for SMTPUTF8 (an address that is not ASCII before its @).

    `sender` is that of the envelope: empty where nobody may answer or be told of a failure (RFC 3834, 3.3).
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    needs_utf8: bool = False


def build(reply: OutboundReply, channel: Channel, files: Mapping[str, bytes]) -> Mail:
    """Return the mail; `files` holds the bytes of the attachments by sha256. Raises NoRecipient."""
    to, cc, bcc = _recipients(reply.to), _recipients(reply.cc), _recipients(reply.bcc)
    recipients = tuple(dict.fromkeys([*to, *cc, *bcc]))
    if not recipients:
        raise NoRecipient("the reply has no e-mail address to go to")
    sender = ascii_domain(channel.settings["address"])
    needs_utf8 = not all(address.isascii() for address in (sender, *recipients))
    message = EmailMessage(policy=_UTF8 if needs_utf8 else _ASCII)
    message["From"] = _mailbox(sender, charset.one_line(reply.author or channel.name, 200))
    _address_to(message, to, cc)
    if answers_to := reply_address(reply, channel):
        message["Reply-To"] = _mailbox(answers_to)
    message["Subject"] = subject_of(reply)
    message["Date"] = format_datetime(reply.requested_at)
    message["Message-ID"] = message["X-Okno-Reply"] = message_id(
        reply.id, channel
    )  # some servers make a new Message-ID
    _add_thread(message, reply)
    if reply.automatic:
        _mark_automatic(message)
    content.fill(message, reply, channel, files)
    return Mail(message["Message-ID"], "" if reply.automatic else sender, recipients, message.as_bytes(), needs_utf8)


def message_id(reply_id: UUID, channel: Channel) -> str:
    """Return the one Message-ID of a reply, the same for every attempt; signed where the channel has a key."""
    domain = ascii_domain(channel.settings["address"]).rpartition("@")[2]
    if key := signed.key_of(channel.settings["reply_key"]):
        return signed.message_id(reply_id, key, domain)
    return f"<okno.{reply_id}@{domain}>"


def reply_address(reply: OutboundReply, channel: Channel) -> str:
    """Return the signed address answers are to go to, empty where there is none or it would be too long."""
    key = signed.key_of(channel.settings["reply_key"])
    if channel.settings["plus_addressing"] != "yes" or not key:
        return ""
    address = signed.address(ascii_domain(channel.settings["address"]), reply.conversation_id, key)
    return address if len(address.rpartition("@")[0].encode()) <= LOCAL_PART_BYTES else ""


def subject_of(reply: OutboundReply) -> str:
    """Return the subject; a form without one gets words that say what the mail is, and keeps them (threads need it)."""
    if charset.one_line(reply.subject, 500) or _MESSAGE_ID.fullmatch(reply.in_reply_to):
        subject = reply_subject(reply.subject)
    else:
        asked = reply.quoted.text if reply.quoted else ""
        russian = content.is_russian(asked or reply.text)
        subject = "Ответ на ваше обращение" if russian else "Our answer to your message"
    return f"Auto: {subject}" if reply.automatic else subject  # RFC 3834, 3.1.5


def reply_subject(subject: str) -> str:
    """Return the subject with one `Re:` in front."""
    subject = charset.one_line(subject, 500)
    return subject if _REPLY_PREFIX.match(subject) else f"Re: {subject}".strip()


def ascii_domain(address: str) -> str:
    """Return an address with its domain in punycode, as SMTP servers without SMTPUTF8 need it."""
    local, at, domain = address.strip().rpartition("@")
    try:
        return local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        return address.strip()


def is_address(to: Address) -> bool:
    """Tell whether an address can be an envelope recipient."""
    return to.kind == "email" and _ADDRESS.fullmatch(to.address.strip()) is not None and _is_text(to.address)


def _is_text(text: str) -> bool:
    """Whether it has no lone surrogates, which no wire takes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _recipients(addresses: Iterable[Address]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ascii_domain(each.address) for each in addresses if is_address(each)))


def _mailbox(address: str, name: str = "") -> Mailbox:
    local, _, domain = address.rpartition("@")
    return Mailbox(name, local, domain)


def _address_to(message: EmailMessage, to: tuple[str, ...], cc: tuple[str, ...]) -> None:
    """To and Cc; who gets a blind copy stands in the envelope alone."""
    message["To"] = [_mailbox(address) for address in to] if to else "undisclosed-recipients:;"
    if others := [address for address in cc if address not in to]:
        message["Cc"] = [_mailbox(address) for address in others]


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


def _mark_automatic(message: EmailMessage) -> None:
    """RFC 3834, 3.1.7 and 3.1.8; the third is what Exchange heeds (MS-OXCMAIL, 2.2.3.2.14)."""
    message["Auto-Submitted"] = "auto-replied"
    message["Precedence"] = "bulk"
    message["X-Auto-Response-Suppress"] = "All"
