"""A mail within a mail is a file, and what it says and holds can be read without a mail program."""

from __future__ import annotations

import base64
import time

import pytest

from shared.channels.email.body import MAX_CHARACTERS, MAX_NESTED, MAX_OPENED
from shared.parsed import Parsed, ParsedFile
from tests.channels.email.mailbox import parsed

HEAD = b"From: a@b.example\r\nSubject: Fwd\r\n"
PDF = b"Content-Type: application/pdf; name=bill.pdf\r\n\r\nPDF"


def multipart(*parts: bytes, kind: str = "mixed", boundary: bytes = b"q") -> bytes:
    inside = b"".join(b"--" + boundary + b"\r\n" + each + b"\r\n" for each in parts)
    declared = f"Content-Type: multipart/{kind}; boundary={boundary.decode()}\r\n\r\n".encode()
    return declared + inside + b"--" + boundary + b"--\r\n"


def plain(text: str) -> bytes:
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def mail(content: bytes, subject: str = "Order 17") -> bytes:
    return f"From: c@d.example\r\nSubject: {subject}\r\n".encode() + content


def attached(content: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + content


def names(message: Parsed) -> list[str]:
    return [file.name for file in message.files]


def test_what_an_attached_mail_says_is_one_click_away_and_its_files_are_listed() -> None:
    forwarded = mail(multipart(plain("Где мой заказ?"), PDF, boundary=b"i"))
    message = parsed(HEAD + multipart(plain("See below."), attached(forwarded)))
    assert (message.text, message.full_text) == ("See below.", "See below.\n\nГде мой заказ?")
    assert message.files == (
        ParsedFile("Order 17.eml", "message/rfc822", forwarded),
        ParsedFile("bill.pdf", "application/pdf", b"PDF"),
    )


def test_an_attached_mail_is_the_text_where_there_is_no_other() -> None:
    message = parsed(HEAD + multipart(attached(mail(plain("Где мой заказ?")))))
    assert (message.text, message.full_text) == ("Где мой заказ?", "")


def test_an_attached_mail_in_base64_is_read() -> None:
    encoded = base64.encodebytes(mail(plain("Где мой заказ?")))
    part = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded
    assert parsed(HEAD + multipart(plain("See."), part)).full_text == "See.\n\nГде мой заказ?"


def test_the_html_of_an_attached_mail_is_shown_below_and_made_safe() -> None:
    html = b"Content-Type: text/html\r\n\r\n<p onclick=x>Hi<script>x</script></p>"
    message = parsed(HEAD + multipart(plain("See <b>."), attached(mail(html))))
    assert message.html == "<pre>See &lt;b&gt;.</pre>\n<hr>\n<p>Hi</p>"


@pytest.mark.parametrize(
    "left_open", ["<p>See</p><!-- ", "<p>See</p><style>", "<p>See</p><textarea>", "<p>See<a href='"]
)
def test_what_the_html_of_a_mail_leaves_open_does_not_hide_what_is_attached(left_open: str) -> None:
    html = b"Content-Type: text/html\r\n\r\n"
    message = parsed(HEAD + multipart(html + left_open.encode(), attached(mail(html + b"<p>Hi</p>"))))
    assert message.html.startswith("<p>See")
    assert message.html.endswith("\n<hr>\n<p>Hi</p>")


def test_mails_without_html_get_none() -> None:
    assert parsed(HEAD + multipart(plain("See."), attached(mail(plain("Hi"))))).html == ""


def test_html_of_an_attached_mail_that_is_too_large_takes_nothing_from_the_mail_itself() -> None:
    html = b"Content-Type: text/html\r\n\r\n"
    message = parsed(HEAD + multipart(html + b"<p>See</p>", attached(mail(html + b"<div>" * 1_000))))
    assert (message.html, names(message)) == ("<p>See</p>", ["Order 17.eml"])


def test_what_a_report_returns_is_read_below_it_and_its_files_are_not_listed_again() -> None:
    returned = attached(mail(multipart(plain("Our answer"), PDF, boundary=b"i")))
    message = parsed(HEAD + multipart(plain("Not delivered."), returned, kind="report"))
    assert (message.text, message.full_text) == ("Not delivered.", "Not delivered.\n\nOur answer")
    assert names(message) == ["Order 17.eml"]


def test_a_report_without_words_does_not_speak_with_the_words_it_returns() -> None:
    message = parsed(HEAD + multipart(attached(mail(plain("Our answer"))), kind="report"))
    assert (message.text, message.full_text) == ("", "Our answer")


def report(words: str) -> bytes:
    returned = attached(mail(multipart(plain("Our answer"), PDF, boundary=b"i"), "Our mail"))
    return multipart(plain(words), returned, kind="report", boundary=b"r")


@pytest.mark.parametrize("order", [1, -1])
def test_a_report_among_the_parts_of_a_mail_takes_nothing_from_the_others(order: int) -> None:
    forwarded = attached(mail(multipart(plain("Где мой заказ?"), PDF, boundary=b"i")))
    message = parsed(HEAD + multipart(*[report(""), forwarded][::order]))
    assert (message.text, message.full_text) == ("Где мой заказ?", "Где мой заказ?\n\nOur answer")
    assert sorted(names(message)) == ["Order 17.eml", "Our mail.eml", "bill.pdf"]


def test_a_report_that_somebody_forwards_speaks_with_its_own_words_only() -> None:
    message = parsed(HEAD + multipart(attached(mail(report("Not delivered.")))))
    assert (message.text, message.full_text) == ("Not delivered.", "Not delivered.\n\nOur answer")
    assert names(message) == ["Order 17.eml", "Our mail.eml"]


def test_what_is_no_mail_stays_a_file() -> None:
    message = parsed(HEAD + multipart(plain("See."), attached(b"this is no mail")))
    assert (message.text, message.full_text, names(message)) == ("See.", "", ["message.eml"])


def test_mails_within_each_other_are_read_to_a_limit_and_kept() -> None:
    inner = mail(plain("level 0"), "0")
    for level in range(1, 10):
        inner = mail(multipart(plain(f"level {level}"), attached(inner), boundary=f"l{level}".encode()), str(level))
    message = parsed(inner)
    assert message.full_text.split("\n\n")[0] == "level 9"
    assert message.full_text.count("level") == MAX_NESTED + 1
    assert b"level 0" in message.files[0].data


@pytest.mark.parametrize("kind", ["mixed", "digest"])
def test_of_very_many_attached_mails_some_are_opened_and_all_are_kept(kind: str) -> None:
    many = [attached(mail(multipart(*[plain("x")] * 200, boundary=b"i"), str(n))) for n in range(300)]
    started = time.process_time()
    message = parsed(HEAD + multipart(plain("See."), *many, kind=kind))
    assert time.process_time() - started < 3
    assert (message.full_text.count("x"), len(message.files)) == (200 * MAX_OPENED, 300)


def test_attached_mails_with_very_many_files_are_files_themselves() -> None:
    crowded = multipart(*[b"Content-Type: application/x-one\r\n\r\n%d" % n for n in range(900)], boundary=b"i")
    message = parsed(HEAD + multipart(plain("See."), *[attached(mail(crowded, str(n))) for n in range(5)]))
    assert (message.text, len(message.files)) == ("See.", 900 + 5)


def test_of_much_text_of_attached_mails_some_is_read_and_all_is_kept() -> None:
    dense = b"Content-Type: text/html\r\n\r\n" + b"<b>x</b>" * 55_000
    message = parsed(HEAD + multipart(plain("See."), *[attached(mail(dense, str(n))) for n in range(12)]))
    assert (message.text, len(message.files)) == ("See.", 12)
    assert 0 < message.full_text.count("x") <= MAX_CHARACTERS // len("<b>x</b>")
