"""A mail's bytes to `Parsed`, PURE. Only what is no mail at all is unreadable; what is broken is shown as it can be."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

from shared.channels.email import body, charset, mime, quotes, words
from shared.connector import Channel, Parsed, RawItem, UnreadableItem
from shared.contracts.inbound import Address

MAX_MAIL_BYTES = 64 * 1024 * 1024
MAX_RECIPIENTS = 500
MAX_REFERENCES = 100
REFUSED = "refused"
"""Key of `RawItem.context`: why the server did not give the whole mail."""

_OLDEST = datetime(1980, 1, 1, tzinfo=UTC)


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return what a mail says. Raises UnreadableItem with the reason."""
    tree = _tree(item)
    fingerprint = hashlib.sha256(item.data).hexdigest()
    external_id = _message_id(tree) or f"sha256:{fingerprint}"
    sender, no_sender = _sender(tree, fingerprint)
    content = body.read(tree)
    new = quotes.new_text(content.text)
    return Parsed(
        external_id=external_id,
        dedup_key=f"{external_id} {fingerprint}",
        sender=sender,
        occurred_at=_occurred_at(tree, item.received_at),
        subject=words.text(tree.header("subject")),
        text=new,
        full_text=content.text if content.text != new else "",
        html=content.html,
        recipients=_recipients(tree),
        reply_to=_reply_to(tree, sender),
        cannot_reply=no_sender if not tree.header("reply-to") else "",
        refers_to=_refers_to(tree, external_id),
        known_as=(external_id,),
        files=content.files,
    )


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


def _occurred_at(tree: mime.Part, received_at: datetime) -> datetime:
    """Return the Date, unless it is missing, broken, absurd or in the future."""
    try:
        parts = parsedate_tz(charset.one_line(words.unfold(tree.header("date")), 200))
        at = datetime.fromtimestamp(mktime_tz(parts), UTC) if parts else received_at
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return received_at
    return at if _OLDEST <= at <= received_at else received_at
