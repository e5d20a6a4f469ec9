"""Mails other projects published: none raises, and what they say is understood. Skipped, with a count, where absent."""

import base64
import email
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.channels.email import html_text, mime, quotes, tnef
from shared.parsed import Parsed, ParsedFile, UnreadableItem
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
AS_EXPECTED = {"subject": 111, "from": 111, "text": 110, "attachments": 113}
NOT_A_FIELD = (
    "one line of the header is no field: the expectation ends the header there and shows From and Subject as text; the "
    "project the mail comes from (Ruby's Mail) skips the line, as we do; nobody could be answered otherwise"
)
SPACE_BEFORE_COLON = (
    "white space before a colon is to be accepted (RFC 5322, 4.5; this is the example of RFC 2822, A.6.3): the "
    "expectation ends the header at it"
)
# The expectation is what a program makes of a mail. Where it lost the sender or shows base64, we understand what is
# written here: 3 mails of 113. `test_the_expectation_itself_shows_what_it_lost` has the proof of each.
BETTER = {
    ("plain_emails/raw_email_incorrect_header", "subject"): ("Stop adware/spyware once and for all.", NOT_A_FIELD),
    ("plain_emails/raw_email_incorrect_header", "from"): ("xxx@xxx.xxx", NOT_A_FIELD),
    ("plain_emails/raw_email_incorrect_header", "text"): ("You are infected with:", NOT_A_FIELD),
    ("rfc2822/example13", "subject"): ("Saying Hello", SPACE_BEFORE_COLON),
    ("rfc2822/example13", "from"): ("jdoe@machine.example", SPACE_BEFORE_COLON),
    ("rfc2822/example13", "text"): ("This is a message just to say hello.", SPACE_BEFORE_COLON),
    ("attachment_2_base64", "text"): ("two attach", "the expectation shows an attached mail as the base64 it came in"),
}


def test_imap_tools_fields_are_understood() -> None:
    different: dict[str, list[str]] = {field: [] for field in AS_EXPECTED}
    for name, raw, each in imap_tools():
        message = parsed(raw)
        for field, right in compared(message, raw, each).items():
            if not right:
                different[field].append(name)
                assert first_line(message, field) == BETTER.get((name, field), ("", ""))[0], (name, field)
    strict = {field: 113 - len(names) for field, names in different.items()}
    print(f"imap-tools: as expected {strict} of 113, {len(BETTER)} fields of 3 mails better")
    assert strict == AS_EXPECTED
    assert {(name, field) for field, names in different.items() for name in names} == BETTER.keys()


def test_the_expectation_itself_shows_what_it_lost() -> None:
    """A header that stands in the text is a lost header, and base64 of a mail is no text."""
    expected = {name: each for name, _, each in imap_tools()}
    for name, subject in (
        ("plain_emails/raw_email_incorrect_header", "Subject:"),
        ("rfc2822/example13", "Subject     :"),
    ):
        assert (expected[name]["subject"], expected[name]["from_"]) == ("", "")
        assert f"{subject} {BETTER[name, 'subject'][0]}" in expected[name]["text"]
    mail = base64.b64decode(expected["attachment_2_base64"]["text"])
    assert mail.startswith(b"Received: from ")
    assert b"As .EML files have these headers:" in mail


def imap_tools() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield the name, the mail and what is expected of it."""
    if not IMAP_TOOLS.exists():
        pytest.skip("corpora/imap-tools: 113 mails are not here")
    for name, each in json.loads((CORPORA / "imap-tools" / "expected.json").read_text()).items():
        yield name, (IMAP_TOOLS / f"{name}.eml").read_bytes(), each


def first_line(message: Parsed, field: str) -> str:
    said = (message.full_text or message.text).split("\n")[0].strip()
    return {"subject": message.subject, "from": message.sender.address, "text": said}.get(field, "")


def compared(message: Parsed, raw: bytes, expected: dict[str, Any]) -> dict[str, bool]:
    """Which fields are as expected: white space and what `same` names apart; of attachments ours may be more."""
    text = message.full_text or message.text
    files = {hashlib.sha256(form).hexdigest() for file in message.files for form in forms(file)}
    wanted = {each["payload"]["bytes_sha256"] for each in expected["attachments"]}
    shown = {sha for each, sha in texts_within(raw) if unspaced(each) in unspaced(f"{text} {message.html}")}
    return {
        "subject": same(message.subject, expected["subject"]),
        "from": is_sender(message, expected["from_"]),
        "text": same(text, expected["text"]) or (not expected["text"] and bool(message.html)),
        "attachments": wanted <= files | shown,
    }


def same(ours: str, theirs: str) -> bool:
    """Theirs may have lost the letters of a wrong charset, or have the control signs of ISO-8859-1.

    Every mail program, and the WHATWG's Encoding Standard, reads ISO-8859-1 as windows-1252, as we do.
    """
    ours = unspaced(ours)
    without_letters = ours.encode("ascii", "ignore").decode()
    return unspaced(theirs) in (ours, without_letters, ours.encode("cp1252", "replace").decode("latin-1"))


def is_sender(message: Parsed, theirs: str) -> bool:
    """What has white space is no address but a whole field without angle brackets: name and address."""
    if " " in theirs:
        return theirs == f"{message.sender.name} {message.sender.address}"
    return theirs.lower() == ("" if message.cannot_reply else message.sender.address)


def texts_within(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield texts of a mail without a name and disposition, and their sha256.

    The expectation takes those with a Content-ID for attachments; for every other parser (Python's `iter_attachments`
    among them) they are the text, or that of an attached mail, and so they are shown; HTML as it can be shown.
    """
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_maintype() == "text" and not part.get_filename() and not part.get_content_disposition():
            data = part.get_payload(decode=True)
            if isinstance(data, bytes):
                source = data.decode("utf-8", "replace")
                words = html_text.safe(source) if part.get_content_subtype() == "html" else source
                yield words, sha(data)


def forms(file: ParsedFile) -> list[bytes]:
    """The bytes with other line ends, and an attached mail as the program of the expectation writes it anew."""
    with_lf = file.data.replace(b"\r\n", b"\n")
    same = [file.data, with_lf, with_lf.rstrip(b"\n") + b"\n", file.data.rstrip(b"\r\n")]
    if file.media_type == "message/rfc822":
        same += [email.message_from_bytes(each).as_bytes() for each in (file.data, with_lf, with_lf + b"\n")]
    return same


def unspaced(text: str) -> str:
    return "".join(text.split())


STALWART = CORPORA / "stalwart-mail-parser" / "resources" / "eml"
# Parts we find where the expectation, made by a program, has others: (ours, theirs) and why ours is right. The
# malformed ones come from the tests of the IMAP server Dovecot, which counts as we do where it sets itself no limit.
OUTER_ENDS_INNER = "outer boundary markers must be recognised at any level of nesting (RFC 2046, 5.1.2)"
OTHER_PARTS = {
    "malformed/001": (3, 4, f"{OUTER_ENDS_INNER}; theirs takes `--ab` for the inner boundary `a`"),
    "malformed/009": (5, 4, f"{OUTER_ENDS_INNER}; theirs shows the delimiter and the header behind it as text"),
    "malformed/011": (5, 4, "the same mail"),
    "malformed/012": (5, 4, "the same with attached mails, of which theirs has two and we three"),
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
    assert (len(mails) - len(other), better) == (100, len(OTHER_PARTS)), other
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
