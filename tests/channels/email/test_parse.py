"""What is understood of a mail, broken ones included."""

import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from shared.channels.email.parse import MAX_RECIPIENTS, parse
from shared.clock import now
from shared.contracts.inbound import Address
from shared.parsed import Parsed, ParsedFile, RawItem, UnreadableItem
from tests.channels.email.mailbox import ADDRESS, mail, mailbox, parsed


def headers(*lines: str | bytes, body: bytes = b"Hello") -> Parsed:
    head = b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return parsed(head + b"\r\n\r\n" + body)


def test_an_ordinary_mail() -> None:
    message = parsed(mail(1))
    assert message == Parsed(
        external_id="<1@example.org>",
        dedup_key=message.dedup_key,
        same_as=message.same_as,
        sender=Address("email", "client1@example.org", "Client 1"),
        occurred_at=datetime(2026, 11, 21, 7, 0, tzinfo=UTC),
        subject="Question 1",
        text="Hello",
        recipients=(ADDRESS,),
        known_as=("<1@example.org>",),
        topic="question 1",
        arrived_at=message.arrived_at,
    )


def test_the_same_mail_is_one_and_another_with_its_message_id_is_kept() -> None:
    first, again, other = parsed(mail(1)), parsed(mail(1)), parsed(mail(1, body="Other"))
    assert first.dedup_key == again.dedup_key
    assert first.dedup_key != other.dedup_key
    assert first.external_id == other.external_id


def test_a_mail_without_message_id_and_date_is_known_by_its_bytes() -> None:
    at = now()
    message = parse(RawItem(b"From: a@b.example\n\nhi", "message/rfc822", at, "1.1"), mailbox())
    assert message.external_id.startswith("sha256:")
    assert message.occurred_at == at


@pytest.mark.parametrize(
    "date", ["Sat, 21 Nov 2096 10:00:00 +0300", "Mon, 1 Jan 1900 00:00:00 +0000", "yesterday", "1"]
)
def test_an_absurd_date_is_replaced_by_the_time_of_arrival(date: str) -> None:
    assert now() - headers("From: a@b", f"Date: {date}").occurred_at < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("date", "occurred"),
    [
        ("Sat, 21 Nov 2026 10:00:00 +0300", datetime(2026, 11, 21, 7, 0, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 13:00:00 +0300", datetime(2026, 11, 21, 8, 0, tzinfo=UTC)),
        ("soon", datetime(2026, 11, 21, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_mail_was_not_written_after_it_had_arrived(date: str, occurred: datetime) -> None:
    data = f"From: a@b\r\nDate: {date}\r\n\r\nHi".encode()
    message = parsed(data, arrived_at="2026-11-21T08:00:00.000000Z")
    assert (message.occurred_at, message.arrived_at) == (occurred, datetime(2026, 11, 21, 8, 0, tzinfo=UTC))


def test_a_mail_arrived_when_it_was_received_where_the_server_tells_nothing_or_an_absurd_time() -> None:
    for context in ({}, {"arrived_at": "9999-01-01T00:00:00.000000Z"}, {"arrived_at": "1970-01-01T00:00:00.000000Z"}):
        assert abs(now() - parsed(b"From: a@b\r\n\r\nHi", **context).arrived_at) < timedelta(seconds=5)


def test_the_nearest_message_answered_comes_first() -> None:
    message = headers(
        "From: a@b", "Message-ID: <4@x>", "References: <1@x> <2@x>\r\n <3@x> <4@x>", "In-Reply-To: your mail <2@x>"
    )
    assert message.refers_to == ("<2@x>", "<3@x>", "<1@x>")


@pytest.mark.parametrize(
    ("line", "name", "address"),
    [
        ("Иван Петров <Ivan@Example.ORG>", "Иван Петров", "ivan@example.org"),
        ("=?utf-8?B?0JjQstCw0L0=?= =?utf-8?B?LCDQv9GA0LjQstC10YI=?= <a@b.example>", "Иван, привет", "a@b.example"),
        ('"ceo@corp.example" <attacker@evil.example>', "ceo@corp.example", "attacker@evil.example"),
        ('"=?utf-8?q?Ivan=0D=0ABcc=3A_evil=40x?=" <a@b.example>', "Ivan Bcc: evil@x", "a@b.example"),
        ("a@xn--e1afmkfd.xn--p1ai", "", "a@пример.рф"),
        ("a@ПРИМЕР.рф", "", "a@пример.рф"),
        ("a@b.example (Ivan)", "Ivan", "a@b.example"),
        ("Big Bug bb@bug.example (home)", "Big Bug home", "bb@bug.example"),
        ("<a@b.example>", "", "a@b.example"),
        ('"Last, First" <a@b.example>, other@x.example', "Last, First", "a@b.example"),
        ("Team: a@b.example, c@d.example;", "", "a@b.example"),
        ("MAILER-DAEMON", "", "mailer-daemon"),
        (f"=?utf-8?B?{b64encode('Иван Петров <Ivan@b.example>'.encode()).decode()}?=", "Иван Петров", "ivan@b.example"),
        ("=?utf-8?B?0JjQstCw0L0=?= =?utf-8?Q?=3Ca=40b.example=3E?=", "Иван", "a@b.example"),
        ('"\\"Q\\" uoted" <a@b.example>', 'Q" uoted', "a@b.example"),
    ],
)
def test_senders(line: str, name: str, address: str) -> None:
    assert headers(f"From: {line}").sender == Address("email", address, name)


def test_of_two_from_the_first_counts() -> None:
    assert headers("From: ceo@corp.example <x@evil.example>", "From: real@x.example").sender.address == "x@evil.example"


def test_strangers_without_an_address_never_share_one() -> None:
    one, two = headers("Subject: 1"), headers("Subject: 2")
    assert one.sender.address != two.sender.address
    assert one.cannot_reply == "the mail names no sender"


def test_an_answer_goes_to_reply_to() -> None:
    message = headers("From: noreply@b.example", "Reply-To: Ivan <ivan@b.example>")
    assert message.reply_to == Address("email", "ivan@b.example", "Ivan")
    assert headers("From: a@b.example", "Reply-To: A@B.example").reply_to is None


def test_twenty_thousand_recipients_are_bounded() -> None:
    started = time.monotonic()
    message = headers("From: a@b", "To: " + ", ".join(f"u{n}@x.example" for n in range(20_000)))
    assert len(message.recipients) == MAX_RECIPIENTS
    assert time.monotonic() - started < 1


def part(content_type: str, body: bytes, *more: str) -> bytes:
    return b"\r\n".join([f"Content-Type: {content_type}".encode(), *[each.encode() for each in more], b"", body])


def multipart(kind: str, *parts: bytes) -> bytes:
    boundary = f"b{abs(hash(parts))}"
    inside = b"".join(b"--" + boundary.encode() + b"\r\n" + each + b"\r\n" for each in parts)
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode() + inside + f"--{boundary}--".encode()
    )


def test_text_html_inline_image_and_attachment_each_have_their_place() -> None:
    image = part("image/png", b"iVBOR0k=", "Content-ID: <logo@x>", "Content-Transfer-Encoding: base64")
    html = part(
        "text/html; charset=utf-8", '<p onclick="x()">Привет<img src="cid:logo@x"><script>x</script></p>'.encode()
    )
    body = multipart(
        "alternative", part("text/plain; charset=utf-8", "Привет".encode()), multipart("related", html, image)
    )
    scan = part(
        "application/pdf", b"PDF", "Content-Disposition: attachment; filename*=utf-8''%D1%81%D0%BA%D0%B0%D0%BD.pdf"
    )
    message = parsed(b"From: a@b.example\r\n" + multipart("mixed", body, scan))
    assert message.text == "Привет"
    assert message.html == '<p>Привет<img src="cid:logo@x"></p>'
    assert message.files == (
        ParsedFile("image.png", "image/png", b"\x89PNGI", "logo@x"),
        ParsedFile("скан.pdf", "application/pdf", b"PDF"),
    )


def test_html_alone_is_readable_as_text() -> None:
    head = "<html><head><title>t</title><style>p{}</style></head>"
    html = head + "<body><p>Один&nbsp;два<br>три</p><ul><li>a<li>b</ul></body>"
    message = headers("From: a@b", "Content-Type: text/html; charset=utf-8", body=html.encode())
    assert message.text == "Один два\nтри\n\n• a\n• b"


def test_a_mail_inside_a_mail_is_a_file_named_by_its_subject() -> None:
    message = parsed(b"From: a@b\r\n" + multipart("mixed", part("text/plain", b"See"), part("message/rfc822", mail(7))))
    assert message.text == "See"
    assert message.files == (ParsedFile("Question 7.eml", "message/rfc822", mail(7)),)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=utf-8''..%2F..%2Ftmp%2Fpwn.txt", "pwn.txt"),
        ('attachment; filename="C:\\\\temp\\\\a.txt"', "a.txt"),
        ("attachment; filename*=utf-8''a%0D%0AX-Evil%3A1.txt", "a X-Evil_1.txt"),
        ("attachment; filename*0*=koi8-r''%CF%D4; filename*1*=%DE%A3%D4; filename*2=.pdf", "отчёт.pdf"),
        ("attachment; filename==?windows-1251?B?7vL35fI=?=.pdf", "отчет.pdf"),
        ('attachment; filename="=?utf-8?Q?=D0=BE=D1=82=D1=87=D1=91=D1=82=2Epdf?="', "отчёт.pdf"),
        ("attachment; filename=my file.pdf; size=3", "my file.pdf"),
        ("attachment; filename=..", "attachment.bin"),
        ("attachment; filename=nul", "attachment.bin"),
        ("attachment", "attachment.bin"),
        (f"attachment; filename={'x' * 500}.pdf", "x" * 130 + ".pdf"),
    ],
)
def test_file_names(disposition: str, name: str) -> None:
    message = headers("From: a@b", "Content-Type: application/x-own", f"Content-Disposition: {disposition}")
    assert [file.name for file in message.files] == [name]
    assert message.files[0].data == b"Hello"


def test_files_of_one_name_are_numbered() -> None:
    one = part("application/pdf", b"1", "Content-Disposition: attachment; filename=scan.pdf")
    message = parsed(b"From: a@b\r\n" + multipart("mixed", one, one.replace(b"\r\n\r\n1", b"\r\n\r\n2")))
    assert [(file.name, file.data) for file in message.files] == [("scan.pdf", b"1"), ("scan (2).pdf", b"2")]


@pytest.mark.parametrize(
    "body", [b"0J/RgNC40LLQtdGC", b"0J/R gNC4\r\n0LLQtdGC=", b"!0J/RgNC40LLQtdGC==\r\n", b"0J/RgNC40LLQtdGCx"]
)
def test_broken_base64_keeps_what_is_readable(body: bytes) -> None:
    lines = ("From: a@b", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")
    assert headers(*lines, body=body).text == "Привет"


def test_nul_and_lone_surrogates_never_come_out() -> None:
    message = headers("From: a@b", b"Subject: a\x00b", "Content-Type: text/plain", body=b"A\x00B \xed\xa0\x80 end")
    assert "\x00" not in message.text + message.subject
    message.text.encode()
    assert message.text.startswith("AB ")


def test_1500_levels_of_multipart_are_read_to_a_limit_and_kept() -> None:
    data = b"From: a@b.example\r\n"
    for level in range(1_500):
        data += f"Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n".encode()
    message = parsed(data + b"Content-Type: text/plain\r\n\r\ndeep inside\r\n")
    assert any(b"deep inside" in file.data for file in message.files)


def test_a_multipart_without_its_last_delimiter_loses_nothing() -> None:
    data = b"From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\n\r\ntwo"
    assert parsed(data).text == "one\ntwo"


def test_a_boundary_that_looks_like_the_outer_ones_end_is_the_inner_ones() -> None:
    data = (
        b'From: a@b\nContent-Type: multipart/mixed; boundary="a"\n\n--a\n'
        b'Content-Type: multipart/mixed; boundary="a--"\n\n--a--\n\none\n--a--\n\ntwo\n'
        b"--a----\n--a\n\nthree\n--a--\n\nafter"
    )
    assert parsed(data).text.split() == ["one", "two", "three"]


def test_parts_begin_at_their_delimiter_where_the_empty_line_was_forgotten() -> None:
    head = b'From: a@b\nContent-Type: multipart/mixed; boundary="ab"\nX-Mailer: x\n'
    data = head + b"--ab\nContent-Type: text/plain\n\nhello\n--ab--\n"
    message = parsed(data)
    assert (message.text, message.files) == ("hello", ())


def test_a_text_before_the_first_delimiter_is_read_where_a_second_content_type_says_so() -> None:
    outer = b'From: a@b\nContent-Type: multipart/mixed; boundary="o"\n\n--o\n'
    inner = b'Content-Type: multipart/mixed; boundary="ab"\n'
    rest = b"\nbefore\n\n--ab\n\nafter\n--ab--\n--o--\n"
    assert parsed(outer + inner + b"Content-Type: text/plain\n" + rest).text.split() == ["before", "after"]
    assert parsed(outer + inner + rest).text == "after"


def test_a_multipart_whose_boundary_is_wrong_is_still_read() -> None:
    data = b"From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--real-one\r\n\r\none\r\n--real-one--\r\n"
    assert parsed(data).text == "one"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the mail is empty"),
        (b"\r\n \r\n", "the mail is empty"),
        (b"// not a mail", "the item has no mail header"),
        (b"<html>hello</html>", "the item has no mail header"),
    ],
)
def test_what_is_no_mail_is_unreadable_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableItem, match=reason):
        parsed(data)


def test_what_the_server_did_not_give_is_unreadable_with_its_reason() -> None:
    with pytest.raises(UnreadableItem, match="only its beginning"):
        parsed(mail(1), refused="only its beginning was fetched")


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"From: a@b\r\nSubject: " + b"=?u?q?" * (MEGABYTE // 6),
        b"From: " + b'"' * MEGABYTE + b"\r\n",
        b"From: " + b"(" * MEGABYTE + b"\r\n",
        b"From: " + b"<" * MEGABYTE + b"\r\n",
        b"From: a@b\r\nTo: " + b"a," * (MEGABYTE // 2),
        b"From: a@b\r\nReferences: " + b"<" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/plain" + b"; a*0*=b" * (MEGABYTE // 8),
        b"From: a@b\r\n" + b"x\r\n" * (MEGABYTE // 3) + b"Subject: a\r\n",
        b"From: a@b\r\n" + b"X: y\r\n" * (MEGABYTE // 6),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * (MEGABYTE // 5),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\n--b--b" * (MEGABYTE // 7),
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"<div>" * (MEGABYTE // 5),
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"<" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"<!--" * (MEGABYTE // 4),
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"<p>x" * (MEGABYTE // 4),
        b"From: a@b\r\n\r\n" + b"> x\n" * (MEGABYTE // 4),
        b"From: a@b\r\n\r\n" + b"On 1 wrote\n" * (MEGABYTE // 11),
        b"From: a@b\r\n\r\n" + b"From: a\n" * (MEGABYTE // 8),
        b"From: a@b\r\n\r\n" + b"On 10:00 " * (MEGABYTE // 9) + b":",
        b"From: a@b\r\n\r\n" + b"-" * MEGABYTE,
        b"From: a@b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=A" * (MEGABYTE // 2),
        b"From: a@b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * MEGABYTE,
        b"From: a@b\r\n\r\n" + b"\xd0\xcf " * (MEGABYTE // 3),
        b"From: a@b\r\n\r\nHi\n" + b"--\n" * (MEGABYTE // 3),
        b"From: a@b\r\nSubject: " + b"Re: " * (MEGABYTE // 4),
        b"From: a@b\r\nSubject: " + b"[" * MEGABYTE,
        b"From: a@b\r\nAuthentication-Results: x; " + b"a=b(" * (MEGABYTE // 4),
        b"From: mailer-daemon@b\r\nX-Failed-Recipients: " + b"a@b, " * (MEGABYTE // 5),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown " + b"a" * MEGABYTE,
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown\n" + b"a@a." * (MEGABYTE // 4),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown\n" + b"<a@b.c>\n" * (MEGABYTE // 8),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown\n" + b"mailbox " * (MEGABYTE // 8),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown\n" + b"-" * MEGABYTE,
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown\n" + b"host the domain " * (MEGABYTE // 16),
        b"From: mailer-daemon@b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + b"Action: failed\n\n" * (MEGABYTE // 16),
        b"From: mailer-daemon@b\r\nContent-Type: message/delivery-status\r\n\r\nA: b\n" + b" x\n" * (MEGABYTE // 3),
        b'From: a@b\r\n\r\n{"notificationType":"Bounce", ' + b'"emailAddress":"a@b", ' * (MEGABYTE // 22),
        b"From: a@b\r\nContent-Type: text/calendar\r\n\r\n" + b"BEGIN:VEVENT\n" * (MEGABYTE // 13),
        b"From: a@b\r\nContent-Type: text/calendar\r\n\r\nA" + b";A=b" * (MEGABYTE // 4),
        b"From: a@b\r\nContent-Type: text/calendar\r\n\r\nA" + b";" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/vcard\r\n\r\n" + b"BEGIN:VCARD\nFN:x\n" * (MEGABYTE // 17),
        b"From: a@b\r\nContent-Type: application/ms-tnef\r\n\r\nx\x9f>\x22\0\0" + b"\1" + b"\0" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"<img src=http://a>" * 40_000,
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n<p " + b"a=b " * (MEGABYTE // 4) + b">x",
        b'From: a@b\r\nContent-Type: text/html\r\n\r\n<p style="' + b"color:red;" * (MEGABYTE // 10) + b'">x',
        b"From: a@b\r\nContent-Type: text/html; charset=utf-7\r\n\r\n" + b"+AGE-" * (MEGABYTE // 5),
        b"From: a@b\r\nContent-Type: application/pkcs7-mime\r\n\r\n" + b"\x30\x80" * (MEGABYTE // 2),
        b"From: a@b\r\nContent-Type: application/pkcs7-mime\r\n\r\n\x30\x80\x06\x01x\xa0\x80\x30\x80"
        + b"\x04\0" * (MEGABYTE // 2),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\n" + b"550 <a@b.c>" * (MEGABYTE // 11),
        b"From: mailer-daemon@b\r\nSubject: Undelivered\r\n\r\nuser unknown 550-'" + b"x" * MEGABYTE,
        b'From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: boundary="b--"\r\n'
        + b"--b--\r\n" * (MEGABYTE // 7),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n" + b"--b\r\nX: y\r\n" * (MEGABYTE // 11),
        b"From: a@b\r\nContent-Type: multipart/mixed" + b"; a=b" * 13_000 + b"\r\n" + b"--\r\n" * 20_000 + b"To: x\r\n",
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n" + b"--\r\n y\r\n" * 50_000 + b"To: x\r\n",
        b"From: a@b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * (MEGABYTE // 32),
        b"From: a@b\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nFrom: a@b\r\n\r\nx\r\n" * (MEGABYTE // 25),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n" + b"<div>" * 4_000) * 50,
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        + b'boundary="b--x' * (MEGABYTE // 14)
        + b"\r\n--b--\r\n",
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary="
        + b"b" * 90
        + b"\r\n"
        + (b"--" + b"b" * 85 + b"\r\n") * 11_000,
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nboundary=b--\r\n--b--\r\n" * 990
        + b'boundary="b--x\r\n' * (MEGABYTE // 16),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nboundary=b--\r\n--b--\r\n" * (MEGABYTE // 27),
        b"From: " + b";" * MEGABYTE,
        b"From: " + b"()," * (MEGABYTE // 3),
        b"From: a@b" + b":" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/plain" + b";" * MEGABYTE,
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b" + b"; " * (MEGABYTE // 2),
        b"From: a@b\r\nContent-Disposition: attachment; " + b"a" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"&" * MEGABYTE,
        b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + b"&a " * (MEGABYTE // 3),
        b"From: a@b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\n" + b"=\n" * (MEGABYTE // 2),
    ],
    ids=range(70),
)
def test_a_hostile_megabyte_takes_less_than_a_second(data: bytes) -> None:
    started = time.process_time()
    parsed(data)
    assert time.process_time() - started < 1
