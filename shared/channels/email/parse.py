"""A mail's bytes to `Parsed`, PURE. Only what is no mail at all is unreadable; what is broken is shown as it can be."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

from shared.channels.email import authentication, body, charset, mime, natures, quotes, same_mail, signed, words
from shared.channels.email.header_nature import REPLY_HEADER
from shared.channels.email.topic import topic
from shared.clock import from_text
from shared.connector import Channel
from shared.contracts.inbound import Address
from shared.parsed import Parsed, RawItem, UnreadableItem

APART_FROM_BYTES = 128 * 1024
"""Larger mails are parsed in a child process (`services.ingest.apart`)."""
MAX_MAIL_BYTES = 64 * 1024 * 1024
MAX_RECIPIENTS = 500
MAX_REFERENCES = 100
REFUSED = "refused"
"""Key of `RawItem.context`: why the server did not give the whole mail."""
ARRIVED = "arrived_at"
"""Key of `RawItem.context`: when the mailbox got the mail, by the mail server's clock."""

_RECIPIENT_HEADERS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
_OLDEST = datetime(1980, 1, 1, tzinfo=UTC)


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return what a mail says. Raises UnreadableItem with the reason."""
    tree = _tree(item)
    fingerprint = hashlib.sha256(item.data).hexdigest()
    external_id = _message_id(tree) or f"sha256:{fingerprint}"
    sender, no_sender = _sender(tree, fingerprint)
    arrived_at = _arrived_at(item)
    content = body.read(tree)
    subject = words.text(tree.header("subject"))
    full = "\n\n".join(filter(None, (_with_notes(content, content.text), content.attached, content.returned)))
    said = content.text if content.text.strip() else content.attached
    new = _with_notes(content, quotes.new_text(said, subject))
    refers_to = _refers_to(tree, external_id)
    key = signed.key_of(channel.settings.get("reply_key", ""))
    nature, about = natures.read(tree, content.text, key)
    sent_to = _sent_to(tree) if key else []
    known_as = (external_id, *(_sent_as(tree, key) if nature == "loop" else ()))
    proves = _proofs(refers_to, sent_to, key)
    warnings = (*_warnings(tree, channel, content), *_of_addresses(sent_to, key))
    judged = same_mail.Judged(sender, bool(no_sender), nature, about, known_as, proves, warnings)
    return Parsed(
        external_id=external_id,
        dedup_key=f"{external_id} {fingerprint}",
        same_as=same_mail.keys(tree, external_id, judged),
        sender=sender,
        occurred_at=_occurred_at(tree, arrived_at),
        arrived_at=arrived_at,
        subject=subject,
        text=new,
        full_text=full if full != new else "",
        html=content.html,
        recipients=_recipients(tree),
        reply_to=_reply_to(tree, sender),
        cannot_reply=no_sender if not tree.header("reply-to") else "",
        refers_to=refers_to,
        known_as=known_as,
        files=content.files,
        nature=nature,
        about=about,
        proves=proves,
        topic=topic(subject),
        warnings=warnings,
    )


def _with_notes(content: body.Body, text: str) -> str:
    """An invitation or a card is told in its mail's text: nobody opens an .ics to learn what a client wants."""
    return "\n\n".join(filter(None, (text, content.notes)))


def _tree(item: RawItem) -> mime.Part:
    if reason := item.context.get(REFUSED):
        raise UnreadableItem(reason)
    if not item.data.strip():
        raise UnreadableItem("the mail is empty")
    if len(item.data) > MAX_MAIL_BYTES:
        raise UnreadableItem(f"the mail has {len(item.data)} bytes, more than {MAX_MAIL_BYTES}")
    try:
        return mime.read(item.data)
    except mime.NoHeaders:
        raise UnreadableItem("the item has no mail header") from None


def _message_id(tree: mime.Part) -> str:
    """Return the Message-ID with its brackets; one written without them gets them."""
    if ids := words.message_ids(tree.all("message-id")):
        return ids[0]
    bare = words.text(tree.header("message-id"), 990).strip("<> ")
    return f"<{bare}>" if bare else ""


def _sent_as(tree: mime.Part, key: bytes) -> tuple[str, ...]:
    """Return the Message-ID we gave a mail of ours that has got another one on its way."""
    ids = words.message_ids(tree.all(REPLY_HEADER)[:1])[:1]
    return tuple(each for each in ids if signed.is_ours(each, key))


def _sender(tree: mime.Part, fingerprint: str) -> tuple[Address, str]:
    """Return who wrote, and why no answer is possible when nobody can tell: strangers never share an address."""
    for header in ("from", "sender", "reply-to", "return-path"):
        for name, address in words.addresses(tree.all(header), 1):
            return Address("email", address, name), ""
    name = words.text(tree.header("from"), 200)
    return Address("email", f"unknown-{fingerprint[:16]}@invalid", name), "the mail names no sender"


def _reply_to(tree: mime.Part, sender: Address) -> Address | None:
    for name, address in words.addresses(tree.all("reply-to"), 1):
        if "@" in address and address != sender.address:
            return Address("email", address, name)
    return None


def _recipients(tree: mime.Part) -> tuple[str, ...]:
    found = words.addresses([*tree.all("to"), *tree.all("cc")], MAX_RECIPIENTS)
    return tuple(dict.fromkeys(address for _, address in found))


def _refers_to(tree: mime.Part, own_id: str) -> tuple[str, ...]:
    """Return what this mail answers, the nearest first (RFC 5322, 3.6.4)."""
    ids = [*words.message_ids(tree.all("in-reply-to")), *reversed(words.message_ids(tree.all("references")))]
    return tuple(each for each in dict.fromkeys(ids) if each != own_id)[:MAX_REFERENCES]


def _proofs(refers_to: tuple[str, ...], sent_to: list[str], key: bytes) -> tuple[str, ...]:
    """Return what only a reader of our mail can know: our Message-IDs, and `conversation:ID` of our addresses."""
    signed_to = (signed.conversation_of(address, key) for address in sent_to)
    conversations = [f"conversation:{each}" for each in signed_to if each]
    return tuple(dict.fromkeys([*(each for each in refers_to if signed.is_ours(each, key)), *conversations]))


def _sent_to(tree: mime.Part) -> list[str]:
    values = [value for header in _RECIPIENT_HEADERS for value in tree.all(header)]
    return [address for _, address in words.addresses(values, MAX_RECIPIENTS)]


def _of_addresses(sent_to: list[str], key: bytes) -> tuple[str, ...]:
    return ("forged_address",) if any(signed.is_forged(address, key) for address in sent_to) else ()


def _warnings(tree: mime.Part, channel: Channel, content: body.Body) -> tuple[str, ...]:
    results = authentication.results(tree.all("authentication-results"), channel.settings.get("authserv_id", ""))
    found = {
        "dmarc_failed": results.get("dmarc") == "fail",
        "two_senders": len({address for _, address in words.addresses(tree.all("from"), 10)}) > 1,
        "marked_spam": _is_marked_spam(tree),
        "signature_not_checked": content.is_signed,
    }
    return tuple(code for code, is_so in found.items() if is_so)


def _is_marked_spam(tree: mime.Part) -> bool:
    """A filter on the way says so: never reason enough to hide a mail, but to open its links with care."""
    marks = (words.text(tree.header(name), 20).lower() for name in ("x-spam-flag", "x-spam", "x-spam-status"))
    return any(mark.startswith("yes") for mark in marks)


def _arrived_at(item: RawItem) -> datetime:
    """Return when the mailbox got the mail: asked of it, it may be long before we did."""
    told = item.context.get(ARRIVED)
    at = from_text(told) if told else item.received_at
    return min(at, item.received_at) if at >= _OLDEST else item.received_at


def _occurred_at(tree: mime.Part, arrived_at: datetime) -> datetime:
    """Return the Date, unless it is missing, broken, absurd or after the arrival."""
    try:
        parts = parsedate_tz(charset.one_line(words.unfold(tree.header("date")), 200))
        at = datetime.fromtimestamp(mktime_tz(parts), UTC) if parts else arrived_at
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return arrived_at
    return at if _OLDEST <= at <= arrived_at else arrived_at
