"""What the standard library finds in odd mails is found by us too, as text or as a file. Skipped where absent."""

from __future__ import annotations

import email
import html
import re
from collections.abc import Iterator
from email.message import Message

import pytest

from shared.parsed import Parsed, UnreadableItem
from tests.channels.email.mailbox import parsed
from tests.channels.email.test_corpora import mails

# Where the standard library reads what is not there, or nobody would.
MISREAD = {
    "bad-header-wrap.raw": "does not see the transfer encoding",
    "extra-base64-character.raw": "gives up on one character too many",
    "msg_25.txt": "sees no parts",
    "msg_31.txt": "sees no parts",
    "raw_email_incorrect_header.eml": "takes the rest of the header for the text",
    "example13.eml": "takes the rest of the header for the text",
    "attachment_2_base64.eml": "does not decode attached mails",
    "multipart_report_multiple_status.eml": "an HTML of nothing but a title without its end, kept in the attached mail",
}


@pytest.mark.parametrize("name", ["enmime", "cpython", "ruby-mail", "deltachat", "imap-tools"])
def test_no_text_and_no_attachment_is_lost(name: str) -> None:
    lost, count = [], 0
    for path in mails(name):
        data = path.read_bytes()
        try:
            message = parsed(data)
        except UnreadableItem:
            continue
        for leaf in leaves(email.message_from_bytes(data)):
            count += 1
            if not is_kept(leaf, message):
                lost.append(path.name)
    print(f"{name}: {count} parts, {len(set(lost) - set(MISREAD))} lost")
    assert set(lost) <= set(MISREAD)


def leaves(message: Message) -> Iterator[Message]:
    if not message.is_multipart():
        yield message
    else:
        for part in message.get_payload():
            yield from leaves(part)  # type: ignore[arg-type]


def is_kept(leaf: Message, message: Parsed) -> bool:
    data = leaf.get_payload(decode=True)
    if not isinstance(data, bytes) or not data.strip():
        return True
    if any(plain(data) in plain(file.data) for file in message.files):
        return True
    charset = leaf.get_content_charset() or "utf-8"
    try:
        text = data.decode(charset, "replace")
    except (LookupError, ValueError):
        text = data.decode("latin-1")
    shown = message.text + message.full_text + without_tags(message.html)
    return any(letters(form)[:30] in letters(shown) for form in (text, without_tags(text)))


def plain(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").strip()


def without_tags(text: str) -> str:
    text = re.sub(r"<(style|script|title)[^>]*>.*?</\1>", "", text, flags=re.DOTALL | re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def letters(text: str) -> str:
    return re.sub(r"[^a-zA-Zа-яА-Я0-9]", "", text)
