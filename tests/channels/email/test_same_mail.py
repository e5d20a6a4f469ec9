"""Which mails are one that came twice, and which are two under one Message-ID."""

from base64 import b64encode
from quopri import encodestring
from uuid import UUID

import pytest

from shared.channels.email import signed
from shared.channels.email.parse import parse
from shared.clock import now
from shared.parsed import Parsed, RawItem
from tests.channels.email.mailbox import ADDRESS, mailbox

TEXT = "Здравствуйте, где мой заказ? = 12\r\nАнна\r\n"
KEY = "00" * 32
SAID = {
    "From": "Anna <anna@example.org>",
    "To": ADDRESS,
    "Cc": "boris@example.org",
    "Subject": "My order\r\n of yesterday",
    "Message-ID": "<1@example.org>",
    "Date": "Sat, 21 Nov 2026 10:00:00 +0300",
    "In-Reply-To": "<0@example.com>",
    "References": "<9@example.com> <0@example.com>",
    "MIME-Version": "1.0",
    "Content-Type": 'multipart/mixed; boundary="b"',
}
LISTED = ("List-Id: <shop.example.com>", "Sender: shop-bounces@example.com", "Precedence: list", "Errors-To: x@y.z")
STRAIGHT = (
    f"Return-Path: <anna@example.org>\r\nDelivered-To: {ADDRESS}\r\nReceived: by mx1.example.com; Sat, 21 Nov 2026",
    "DKIM-Signature: v=1; d=example.org; b=AAAA",
    "X-Spam-Status: No, score=0.1",
)
BY_AN_ALIAS = (
    "Return-Path: <forward+anna@example.net>\r\nDelivered-To: box@example.com\r\nX-Original-To: sales@example.com",
    "Received: by mx2.example.com; Sat, 21 Nov 2026\r\nReceived: by relay.example.net; Sat, 21 Nov 2026",
    "ARC-Seal: i=1; b=BBBB\r\nAuthentication-Results: example.com; dmarc=pass\r\nX-Spam-Status: No, score=1.7",
)


def mail(
    *trace: str, text: str = TEXT, encoding: str = "8bit", file: str = "x", name: str = "a.csv", **said: str
) -> bytes:
    headers = {**SAID, **{field.replace("_", "-"): value for field, value in said.items()}}
    lines = [*trace, *(f"{field}: {value}" for field, value in headers.items() if value), ""]
    lines += ["--b", "Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", ""]
    lines += [encoded(text, encoding), "--b", f'Content-Type: text/csv; name="{name}"', "", file, "--b--", ""]
    return "\r\n".join(lines).encode()


def encoded(text: str, encoding: str) -> str:
    match encoding:
        case "base64":
            return b64encode(text.encode()).decode()
        case "quoted-printable":
            return encodestring(text.encode()).decode()
        case _:
            return text


def read(data: bytes, **settings: str) -> Parsed:
    return parse(RawItem(data, "message/rfc822", now(), "1.1"), mailbox(**settings))


def are_one(first: Parsed, other: Parsed) -> bool:
    """Whether the later one of them is passed over."""
    assert first.dedup_key != other.dedup_key, "these are the same bytes"
    return not {first.dedup_key, *first.same_as}.isdisjoint({other.dedup_key, *other.same_as})


def test_a_mail_that_came_straight_and_by_an_alias_is_one() -> None:
    assert are_one(read(mail(*STRAIGHT)), read(mail(*BY_AN_ALIAS)))


def test_the_copy_of_a_list_that_added_nothing_to_the_text_is_the_mail_itself() -> None:
    straight, listed = read(mail(*STRAIGHT)), read(mail(*STRAIGHT, *LISTED))
    assert (straight.nature, listed.nature) == ("ordinary", "list")
    assert are_one(straight, listed)


def test_the_copy_of_a_list_with_its_footer_or_its_mark_in_the_subject_is_another_mail() -> None:
    straight = read(mail(*STRAIGHT))
    assert not are_one(straight, read(mail(*LISTED, text=f"{TEXT}--\r\nTo unsubscribe\r\n")))
    assert not are_one(straight, read(mail(*LISTED, Subject="[shop] My order of yesterday")))


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_a_server_may_encode_the_text_anew_and_fold_the_header_elsewhere(encoding: str) -> None:
    again = mail(encoding=encoding, Subject="My order of\r\n\tyesterday", Content_Type='multipart/mixed; boundary="b" ')
    assert are_one(read(mail()), read(again))


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Give me the money"},
        {"file": "y"},
        {"file": "x\r\n\r\nz"},
        {"name": "b.csv"},
        {"From": "Anna <anna@evil.example>"},
        {"From": "Anna, the boss <anna@example.org>"},
        {"Reply_To": "evil@example.org"},
        {"To": "boss@example.com"},
        {"Cc": ""},
        {"Cc": "carol@example.org"},
        {"Subject": "Another order"},
        {"Date": "Sat, 21 Nov 2026 10:00:01 +0300"},
        {"In_Reply_To": "<2@example.com>"},
        {"References": "<0@example.com>"},
        {"Message_ID": "<2@example.org>"},
    ],
    ids=str,
)
def test_a_mail_that_says_anything_else_under_the_same_message_id_is_another(change: dict[str, str]) -> None:
    assert not are_one(read(mail(*STRAIGHT)), read(mail(*STRAIGHT, **change)))


@pytest.mark.parametrize(
    "mark",
    [
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "X-Autoreply: yes",
        "X-Failed-Recipients: boris@example.org",
        "X-Spam-Flag: YES",
        "Authentication-Results: mx.example.com; dmarc=fail",
        "Delivered-To: autoresponder",
        "From: evil@example.org",
    ],
)
def test_who_sends_a_copy_marked_as_forged_or_automatic_does_not_hide_the_real_mail(mark: str) -> None:
    forged, real = (read(mail(*trace), authserv_id="mx.example.com") for trace in ([mark], STRAIGHT))
    assert not are_one(forged, real)


def test_a_mail_from_nobody_s_envelope_does_not_hide_the_same_one_that_a_person_sent() -> None:
    person = "Return-Path: <anna@example.org>"
    generated = [read(mail(f"Return-Path: {path}")) for path in ("<>", " <> ")]
    assert [each.nature for each in generated] == ["automatic", "automatic"]
    assert not any(are_one(each, read(mail(person))) for each in generated)


def test_a_copy_to_the_address_of_another_conversation_is_a_mail_of_its_own() -> None:
    address = signed.address(ADDRESS, UUID(int=1), signed.key_of(KEY))
    answer, straight = (read(mail(f"Delivered-To: {to}"), reply_key=KEY) for to in (address, ADDRESS))
    assert answer.proves
    assert not are_one(answer, straight)


@pytest.mark.parametrize("missing", ["Message_ID", "Date", "From"])
def test_what_names_no_id_no_date_or_no_sender_is_known_by_its_bytes_alone(missing: str) -> None:
    first, other = (read(mail(trace, **{missing: ""})) for trace in ("Received: by mx1", "Received: by mx2"))
    assert (first.same_as, other.same_as) == ((), ())
    assert not are_one(first, other)


def test_the_key_of_a_mail_stays_what_it_was() -> None:
    """Copies are passed over by it: with another one they would be messages when a folder is read anew."""
    assert read(mail()).same_as == (
        "<1@example.org> said ff21b9688945d93f5776777d87d30de275f8b13906d1071a32f21289e0a4f81e",
    )
