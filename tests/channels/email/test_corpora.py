"""Mails other projects published: none raises, and what they say is understood. Skipped, with a count, where absent."""

import email
import email.message
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.channels.email import mime, quotes, tnef
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


# Of 113, as the expectation stands; plain Python's email package reaches 111, 108, 95 and 93.
AS_EXPECTED = {"subject": 111, "from": 110, "text": 110, "attachments": 111}
# The expectation is what a library makes of a mail. Where that is a quirk of it and a person sees more: what we
# understand instead, exactly. `test_the_readings_that_differ_are_quirks_of_a_library` shows each quirk.
BETTER = {
    ("plain_emails/raw_email_incorrect_header", "subject"): "Stop adware/spyware once and for all.",
    ("plain_emails/raw_email_incorrect_header", "from"): "xxx@xxx.xxx",
    ("plain_emails/raw_email_incorrect_header", "text"): "You are infected with:",
    ("rfc2822/example13", "subject"): "Saying Hello",
    ("rfc2822/example13", "from"): "jdoe@machine.example",
    ("rfc2822/example13", "text"): "This is a message just to say hello.",
    ("plain_emails/mix_caps_content_type", "from"): "bb@bug.com",
    ("attachment_2_base64", "text"): "two attach",
    ("text_with_content_id", "attachments"): "",
    ("multipart_report_emails/multipart_report_multiple_status", "attachments"): (
        "message.txt, message (2).txt, Your Friend F M wants you to join HomeRun.eml"
    ),
}
GOAL = 113


def test_imap_tools_fields_are_understood() -> None:
    if not IMAP_TOOLS.exists():
        pytest.skip("corpora/imap-tools: 113 mails are not here")
    expected = json.loads((CORPORA / "imap-tools" / "expected.json").read_text())
    wrong: dict[str, list[str]] = {field: [] for field in AS_EXPECTED}
    missed: dict[str, list[str]] = {field: [] for field in AS_EXPECTED}
    for name, each in expected.items():
        message = parsed((IMAP_TOOLS / f"{name}.eml").read_bytes())
        for field, right in compared(message, each).items():
            if not right:
                wrong[field].append(name)
                if not is_better(message, name, field):
                    missed[field].append(name)
    strict = {field: len(expected) - len(names) for field, names in wrong.items()}
    reached = {field: len(expected) - len(names) for field, names in missed.items()}
    print(f"imap-tools: as expected {strict}, with {len(BETTER)} named readings of ours {reached}, of {len(expected)}")
    assert all(strict[field] >= floor for field, floor in AS_EXPECTED.items()), (strict, wrong)
    assert all(count >= GOAL for count in reached.values()), (reached, missed)


def test_the_readings_that_differ_are_quirks_of_a_library() -> None:
    """Each is one of Python's email package, on which that library stands, or of its own idea of an attachment."""
    if not IMAP_TOOLS.exists():
        pytest.skip("corpora/imap-tools: 113 mails are not here")

    def library(name: str) -> email.message.Message:
        return email.message_from_bytes((IMAP_TOOLS / f"{name}.eml").read_bytes())

    # a line of the header that is no field, and white space before the colon (allowed by RFC 5322, 4.5), end it there
    assert library("plain_emails/raw_email_incorrect_header").keys() == ["Received", "Received-SPF"]
    assert library("rfc2822/example13").keys() == []
    # an attached mail in base64 is not decoded
    (inner,) = next(
        part.get_payload()
        for part in library("attachment_2_base64").walk()
        if part.get_content_type() == "message/rfc822" and part["Content-Transfer-Encoding"] == "base64"
    )
    assert inner.keys() == []
    # the text itself, and the texts of an attached mail, count as attachments because they have a Content-ID
    for name in ("text_with_content_id", "multipart_report_emails/multipart_report_multiple_status"):
        parts = [part for part in library(name).walk() if part["Content-ID"] and not part.is_multipart()]
        assert {part.get_content_maintype() for part in parts} == {"text"}
        assert {part.get_content_disposition() for part in parts} == {None}


def is_better(message: Parsed, name: str, field: str) -> bool:
    """Whether we understand exactly what is written down in BETTER."""
    ours = {
        "subject": message.subject,
        "from": message.sender.address,
        "text": (message.full_text or message.text).split("\n")[0].strip(),
        "attachments": ", ".join(file.name for file in message.files),
    }
    return BETTER.get((name, field)) == ours[field]


def compared(message: Parsed, expected: dict[str, Any]) -> dict[str, bool]:
    """Which fields are as expected. The text of attached mails counts as text there, as it does not here."""
    text, files = whole(message)
    hashes = {hashlib.sha256(form).hexdigest() for file in files for form in forms(file)}
    return {
        "subject": folded(message.subject) == folded(expected["subject"]),
        "from": (message.sender.address if not message.cannot_reply else "") == expected["from_"].lower(),
        "text": folded(text) == folded(expected["text"]) or (not expected["text"] and bool(message.html)),
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


def forms(file: ParsedFile) -> list[bytes]:
    """The bytes with other line ends, and an attached mail as the program of the expectation writes it anew."""
    with_lf = file.data.replace(b"\r\n", b"\n")
    same = [file.data, with_lf, with_lf.rstrip(b"\n") + b"\n", file.data.rstrip(b"\r\n")]
    if file.media_type == "message/rfc822":
        same += [email.message_from_bytes(each).as_bytes() for each in (file.data, with_lf, with_lf + b"\n")]
    return same


def folded(text: str) -> str:
    """Without white space, and without the letters the expectation lost where a charset was wrong."""
    return "".join(letter for letter in text if " " < letter < "\x7f" or "а" <= letter.lower() <= "я")


STALWART = CORPORA / "stalwart-mail-parser" / "resources" / "eml"
# Parts we find where the expectation, made by a program, has others: (ours, theirs) and why ours is right.
OUTER_ENDS_INNER = "outer boundary markers must be recognised at any level of nesting (RFC 2046, 5.1.2)"
OTHER_PARTS = {
    "malformed/000": (5, 1, "four delimiters without an empty line before them are four parts"),
    "malformed/001": (3, 4, f"{OUTER_ENDS_INNER}; theirs takes `--ab` for the inner boundary `a`"),
    "malformed/009": (5, 4, OUTER_ENDS_INNER),
    "malformed/011": (5, 4, OUTER_ENDS_INNER),
    "malformed/012": (5, 4, OUTER_ENDS_INNER),
    "malformed/016": (5, 7, f"{OUTER_ENDS_INNER}; theirs compares the first 80 characters of boundaries that differ"),
    "malformed/020": (5, 3, "two Content-Type fields: theirs takes the last and shows the source of the HTML"),
    "malformed/021": (5, 3, "the same without an html tag"),
    "thirdparty/015": (5, 3, "three attached mails, the last two of which got lost there"),
}


def test_stalwart_parts_subjects_and_senders_are_understood() -> None:
    if not STALWART.exists():
        pytest.skip("corpora/stalwart-mail-parser: 107 mails are not here")
    mails = sorted(STALWART.rglob("*.eml"))
    other, subjects, senders = {}, [], []
    for path in mails:
        expected = json.loads(path.with_suffix(".json").read_text())
        tree, message = mime.read(path.read_bytes()), parsed(path.read_bytes())
        if (pair := (count(tree), len(expected["parts"]))) and pair[0] != pair[1]:
            other[path.relative_to(STALWART).with_suffix("").as_posix()] = pair
        head = {h["name"]: h["value"] for h in reversed(expected["parts"][0]["headers"]) if isinstance(h["name"], str)}
        if isinstance(head.get("subject"), dict) and "Text" in head["subject"]:
            subjects.append(same_but_for_lost_letters(message.subject, head["subject"]["Text"]))
        if (sender := first_address(head.get("from"))) is not None:
            senders.append(message.sender.address == sender)
    better = sum(other.get(name) == (ours, theirs) for name, (ours, theirs, _) in OTHER_PARTS.items())
    print(
        f"stalwart: parts {len(mails) - len(other)}/{len(mails)} as expected, {better} more as the RFC says, "
        f"subjects {sum(subjects)}/{len(subjects)}, senders {sum(senders)}/{len(senders)}"
    )
    assert (len(mails) - len(other), better) == (98, len(OTHER_PARTS)), other
    assert (sum(subjects), len(subjects)) == (79, 79)
    assert (sum(senders), len(senders)) == (75, 75)


def count(part: mime.Part) -> int:
    return 1 + sum(count(each) for each in part.parts)


def first_address(value: Any) -> str | None:
    listed = value.get("Address", {}).get("List") if isinstance(value, dict) else None
    return str(listed[0]["address"]).lower() if listed and listed[0].get("address") else None


def same_but_for_lost_letters(ours: str, theirs: str) -> bool:
    """The expectation has U+FFFD where it could not read a letter."""
    pattern = re.escape(" ".join(theirs.split())).replace("\ufffd", ".")
    return re.fullmatch(pattern, " ".join(ours.split())) is not None


TNEF = CORPORA / "tnefparse"
STORAGE = bytes.fromhex("0b00000000000000c000000000000046")


def test_every_winmail_dat_is_unpacked() -> None:
    if not TNEF.exists():
        pytest.skip("corpora/tnefparse: 20 winmail.dat are not here")
    oracle = json.loads((TNEF / "expected_attachments_oracle.json").read_text())
    wrong, seen = {}, 0
    for name, files in oracle.items():
        path = TNEF / name.removeprefix("tnefparse/")
        if path.exists():
            seen += 1
            packed = tnef.read(path.read_bytes())
            assert packed is not None
            found = [(file.name, {sha(form) for form in tnef_forms(file.data)}) for file in packed.files]
            named = [(each["name"] or tnef.UNNAMED, each["sha256"]) for each in files]
            if [n for n, _ in found] != [n for n, _ in named] or any(
                h not in hashes for (_, hashes), (_, h) in zip(found, named, strict=True)
            ):
                wrong[name] = found
    print(f"tnefparse: {seen - len(wrong)}/{seen}")
    assert (seen, wrong) == (20, {})


def tnef_forms(data: bytes) -> list[bytes]:
    """The expectation drops the zeros that fill the last sector of a compound file, and may keep its interface id."""
    return [data, data.rstrip(b"\x00"), STORAGE + data.rstrip(b"\x00")]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


TALON = CORPORA / "talon"


def test_talon_new_text_of_replies() -> None:
    """The expectation keeps the signature, which our new text is without."""
    if not TALON.exists():
        pytest.skip("corpora/talon: 21 replies are not here")
    expected = json.loads((TALON / "expected.json").read_text())
    wrong = {}
    for name, text in expected.items():
        path = next(TALON.rglob(name))
        data = path.read_bytes()
        if path.suffix == ".html":
            data = b"From: a@b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + data
        message = parsed(data)
        got = quotes.without_history(message.full_text or message.text)
        if " ".join(got.split()) != " ".join(text.split()):
            wrong[name] = got
    print(f"talon: {len(expected) - len(wrong)}/{len(expected)}")
    assert (len(expected), wrong) == (21, {})


QUOTEQUAIL = CORPORA / "quotequail" / "tests" / "files"


def test_quotequail_replies_are_split_and_forwarded_mails_stay_whole() -> None:
    if not QUOTEQUAIL.exists():
        pytest.skip("corpora/quotequail: 13 html quotes are not here")
    split = {}
    for path in sorted(QUOTEQUAIL.glob("*.html")):
        subject = b"Fwd: x" if "forward" in path.name else b"Re: x"
        head = b"From: a@b\r\nSubject: " + subject + b"\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        split[path.stem] = bool(parsed(head + path.read_bytes()).full_text)
    print(f"quotequail: {len(split)} read, {sum(split.values())} split")
    assert len(split) == 13
    assert [name for name, is_split in split.items() if is_split != ("reply" in name)] == []
