"""Files that a person could not read: told in words, opened, or named for what they are."""

from __future__ import annotations

import struct

import pytest

from shared.channels.email import tnef
from shared.channels.email.html_text import safe
from shared.parsed import Parsed, ParsedFile
from tests.channels.email.mailbox import parsed


def with_part(content_type: str, data: str, *more: str) -> Parsed:
    lines = ["From: a@b.example", "Content-Type: multipart/mixed; boundary=q", "", "--q", "", "See.", "--q"]
    return parsed("\r\n".join([*lines, f"Content-Type: {content_type}", *more, "", data, "--q--"]).encode())


INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
SUMMARY:Созвон\\, заказ 17
DTSTART;TZID=Europe/Moscow:20261123T100000
DTEND;TZID=Europe/Moscow:20261123T110000
LOCATION:Переговорная
ORGANIZER;CN=Анна
 Петрова:mailto:anna@example.org
BEGIN:VALARM
SUMMARY:not this
END:VALARM
END:VEVENT
END:VCALENDAR"""


def test_an_invitation_is_told_in_words_and_kept() -> None:
    message = with_part("text/calendar; charset=utf-8; method=REQUEST", INVITATION)
    assert message.text == (
        "See.\n\nInvitation: Созвон, заказ 17\n"
        "When: 2026-11-23 10:00 Europe/Moscow – 2026-11-23 11:00 Europe/Moscow\n"
        "Where: Переговорная\nFrom: АннаПетрова <anna@example.org>"
    )
    assert [(file.name, file.media_type) for file in message.files] == [("invitation.ics", "text/calendar")]


@pytest.mark.parametrize(
    ("method", "title"),
    [("CANCEL", "Invitation cancelled"), ("REPLY", "Answer to an invitation"), ("X", "Event")],
)
def test_an_invitation_says_what_is_wanted(method: str, title: str) -> None:
    message = with_part("text/calendar", INVITATION.replace("REQUEST", method))
    assert f"{title}: Созвон, заказ 17" in message.text


def test_a_visiting_card_is_told_in_words_and_kept() -> None:
    card = (
        "BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=\n=D0=B0=D0=BD\n"
        "ORG:Ромашка;Отдел закупок\nitem1.TEL;TYPE=cell:+7 900 000-00-00\nEMAIL:ivan@example.org\nEND:VCARD"
    )
    message = with_part('text/x-vcard; name="ivan.vcf"', card)
    assert message.text == (
        "See.\n\nContact: Иван\nCompany: Ромашка, Отдел закупок\nTelephone: +7 900 000-00-00\nE-mail: ivan@example.org"
    )
    assert [file.name for file in message.files] == ["ivan.vcf"]


@pytest.mark.parametrize(
    ("content_type", "name", "note"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m", "[Encrypted with S/MIME: smime.p7m"),
        (
            "application/x-pkcs7-mime; smime-type=signed-data",
            "smime.p7m",
            "[Signed with S/MIME, but there is no text in",
        ),
        ("application/pkcs7-mime; smime-type=compressed-data", "smime.p7m", "[Compressed with S/MIME: smime.p7m"),
        ("application/pkcs7-signature", "smime.p7s", ""),
        ("application/pgp-encrypted", "pgp-version.txt", "[Encrypted with PGP"),
        ("application/pgp-signature", "signature.asc", ""),
        ("application/pgp-keys", "public-key.asc", ""),
    ],
)
def test_encrypted_and_signed_parts_are_kept_and_named(content_type: str, name: str, note: str) -> None:
    message = with_part(content_type, "x")
    assert [(file.name, file.data) for file in message.files] == [(name, b"x")]
    assert message.text.startswith(f"See.\n\n{note}" if note else "See.")


def attribute(level: int, number: int, data: bytes) -> bytes:
    return bytes([level]) + struct.pack("<II", number, len(data)) + data + b"\x00\x00"


def winmail(*attributes: bytes) -> bytes:
    return tnef.SIGNATURE + b"\x01\x00" + b"".join(attributes)


def mail_with_winmail(data: bytes, text: str = "") -> Parsed:
    head = f"From: a@b.example\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\n{text}\n--q\n"
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: binary\n\n"
    return parsed(head.encode() + part + data + b"\n--q--")


RENDERING = attribute(2, 0x00069002, b"\x00" * 14)
PACKED = winmail(
    attribute(1, 0x00069007, struct.pack("<II", 1251, 0)),
    attribute(1, 0x0002800C, "Привет\x00".encode("cp1251")),
    RENDERING,
    attribute(2, 0x00018010, "../отчёт.pdf\x00".encode("cp1251")),
    attribute(2, 0x0006800F, b"%PDF"),
)


def test_winmail_dat_gives_its_files_and_its_text_where_the_mail_has_none() -> None:
    message = mail_with_winmail(PACKED)
    assert message.text == "Привет"
    assert message.files == (ParsedFile("отчёт.pdf", "application/pdf", b"%PDF"),)
    assert mail_with_winmail(PACKED, "Свой текст").text == "Свой текст"


@pytest.mark.parametrize("data", [b"no tnef", tnef.SIGNATURE, winmail(), PACKED[:30]])
def test_winmail_dat_that_holds_nothing_readable_stays_a_file(data: bytes) -> None:
    assert [file.name for file in mail_with_winmail(data, "x").files] == ["winmail.dat"]


def test_every_beginning_of_winmail_dat_is_survived() -> None:
    for length in range(len(PACKED)):
        tnef.read(PACKED[:length])


def test_a_length_that_lies_reads_nothing_beyond() -> None:
    lying = tnef.SIGNATURE + b"\x01\x00\x01" + struct.pack("<II", 0x0006800F, 0xFFFFFFFF) + b"x"
    assert tnef.read(lying) == tnef.Contents()
    many = attribute(2, 0x00069005, struct.pack("<I", 0xFFFFFFFF) + b"\x02\x01\x01\x37" * 50_000)
    assert tnef.read(winmail(RENDERING, many)) is not None


@pytest.mark.parametrize(
    ("source", "clean"),
    [
        ('<img src="cid:logo@x">', '<img src="cid:logo@x">'),
        ('<img src="https://e.example/p.gif?a=1&b=2">', '<img data-remote-src="https://e.example/p.gif?a=1&amp;b=2">'),
        ("<IMG SRC=//e.example/p.gif>", '<img data-remote-src="//e.example/p.gif">'),
        ("<img src=javascript:alert(1)>", "<img>"),
        ('<img srcset="https://e.example/2x 2x" src="cid:a">', '<img src="cid:a">'),
        ('<p title="<img src=https://e.example>">x</p>', '<p title="&lt;img src=https://e.example&gt;">x</p>'),
        ('<p style="color:red;position:fixed;background:url(https://e.example)">x</p>', '<p style="color:red">x</p>'),
        ('<p style="background-color:#fff url(https://e.example)">x</p>', "<p>x</p>"),
        ('<style>@import "https://e.example"</style><p>x</p>', "<p>x</p>"),
        ('<video src="https://e.example" poster="https://e.example"></video>x', "x"),
        ('<input type="image" src="https://e.example">x', "x"),
    ],
)
def test_html_loads_nothing_from_outside(source: str, clean: str) -> None:
    assert safe(source) == clean
