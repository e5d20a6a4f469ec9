"""Mails other projects published: none raises, and what they say is understood. Skipped, with a count, where absent."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from shared.connector import Parsed, ParsedFile, UnreadableItem
from tests.channels.email.mailbox import parsed

CORPORA = Path(__file__).parents[4] / "shared" / "corpora"
IMAP_TOOLS = CORPORA / "imap-tools" / "tests" / "messages"
MAIL_FILES = (".eml", ".raw", ".txt", "")

# Mails in each set, and how many of them are no mail at all (texts, fragments) and end in the quarantine.
SETS = {
    "imap-tools": (113, 0),
    "stalwart-mail-parser": (107, 0),
    "enmime": (92, 1),
    "cpython": (47, 1),
    "ruby-mail": (104, 0),
    "deltachat": (95, 1),
    "sisimai-bounces": (756, 0),
    "flufl-bounce": (117, 0),
    "poison": (13, 0),
}


def mails(name: str) -> list[Path]:
    """The mails a set lists."""
    folder = CORPORA / name
    if not folder.exists():
        pytest.skip(f"corpora/{name}: {SETS[name][0]} mails are not here")
    rows = [line.split("\t")[0] for line in (folder / "index.tsv").read_text().splitlines()[1:]]
    return [folder / row for row in rows if Path(row).suffix in MAIL_FILES and (folder / row).is_file()]


@pytest.mark.parametrize("name", SETS)
def test_no_mail_raises_and_each_says_something(name: str) -> None:
    unreadable = []
    for path in mails(name):
        try:
            message = parsed(path.read_bytes())
        except UnreadableItem:
            unreadable.append(path.name)
        else:
            json.dumps([message.text, message.full_text, message.html, message.subject]).encode()
            assert all(file.name and "/" not in file.name for file in message.files)
    assert len(unreadable) <= SETS[name][1], unreadable


# Of 113; plain Python's email package reaches 111, 108, 95 and 93.
FLOORS = {"subject": 112, "from": 112, "text": 112, "attachments": 112}
# Where we understand more than the expectation, which was computed by a program, too.
BETTER = {
    "subject": {
        "error_emails/invalid_subject_characters": "keeps the letters that are dropped there",
        "plain_emails/raw_email_incorrect_header": "reads on after a broken header line",
        "rfc2822/example13": "reads headers with a space before the colon",
        "rfc2822/example14": "keeps the space where the line was broken",
    },
    "from": {
        "plain_emails/mix_caps_content_type": "finds the address without brackets",
        "plain_emails/raw_email_incorrect_header": "reads on after a broken header line",
        "rfc2822/example13": "reads headers with a space before the colon",
    },
    "text": {
        "plain_emails/raw_email_incorrect_header": "reads on after a broken header line",
        "rfc2822/example13": "reads headers with a space before the colon",
        "multipart_report_emails/multipart_report_multiple_status": "the delivery status is a file, kept whole",
        "attachment_2_base64": "the attached mail is read, not shown in base64",
        "attachment_inline2": "there is only an image",
    },
    "attachments": {
        "attachment_7bit": "kept as it is, line ends included",
        "attachment_emails/attachment_message_rfc822": "the mail is kept as it is, not written anew",
        "mime_emails/raw_email_with_mimepart_without_content_type": "the delivery status is kept as it is",
        "multipart_report_emails/multi_address_bounce1": "the delivery status is kept as it is",
        "multipart_report_emails/multi_address_bounce2": "the delivery status is kept as it is",
        "multipart_report_emails/multipart_report_multiple_status": "the delivery status is kept as it is",
        "text_with_content_id": "the text itself is no attachment",
    },
}


def test_imap_tools_fields_are_understood() -> None:
    if not IMAP_TOOLS.exists():
        pytest.skip("corpora/imap-tools: 113 mails are not here")
    expected = json.loads((CORPORA / "imap-tools" / "expected.json").read_text())
    wrong: dict[str, list[str]] = {field: [] for field in FLOORS}
    for name, each in expected.items():
        for field, right in compared(parsed((IMAP_TOOLS / f"{name}.eml").read_bytes()), each).items():
            if not right and name not in BETTER[field]:
                wrong[field].append(name)
    reached = {field: len(expected) - len(names) for field, names in wrong.items()}
    assert all(reached[field] >= floor for field, floor in FLOORS.items()), (reached, wrong)


def compared(message: Parsed, expected: dict[str, Any]) -> dict[str, bool]:
    """Which fields are as expected. The text of attached mails counts as text there, as it does not here."""
    text, files = whole(message)
    hashes = {hashlib.sha256(form).hexdigest() for file in files for form in line_ends(file.data)}
    return {
        "subject": folded(message.subject) == folded(expected["subject"]),
        "from": (message.sender.address if not message.cannot_reply else "") == expected["from_"].lower(),
        "text": folded(text) == folded(expected["text"]) if expected["text"] or not expected["html"] else bool(text),
        "attachments": {each["payload"]["bytes_sha256"] for each in expected["attachments"]} <= hashes,
    }


def whole(message: Parsed) -> tuple[str, list[ParsedFile]]:
    text, files = message.full_text or message.text, list(message.files)
    for file in message.files:
        if file.media_type == "message/rfc822":
            try:
                inner_text, inner_files = whole(parsed(file.data))
            except UnreadableItem:
                continue
            text, files = f"{text} {inner_text}", files + inner_files
    return text, files


def line_ends(data: bytes) -> list[bytes]:
    with_lf = data.replace(b"\r\n", b"\n")
    return [data, with_lf, with_lf.rstrip(b"\n") + b"\n", data.rstrip(b"\r\n")]


def folded(text: str) -> str:
    """Without white space, and without the letters the expectation lost where a charset was wrong."""
    return "".join(letter for letter in text if " " < letter < "\x7f" or "а" <= letter.lower() <= "я")


TALON = CORPORA / "talon"


def test_talon_new_text_of_replies() -> None:
    if not TALON.exists():
        pytest.skip("corpora/talon: 21 replies are not here")
    expected = json.loads((TALON / "expected.json").read_text())
    wrong = {}
    for name, text in expected.items():
        path = next(TALON.rglob(name))
        data = path.read_bytes()
        if path.suffix == ".html":
            data = b"From: a@b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + data
        got = parsed(data).text
        if " ".join(got.split()) != " ".join(text.split()):
            wrong[name] = got
    assert len(expected) - len(wrong) >= 20, wrong  # iphone.eml: we leave out "Sent from my iPhone"
