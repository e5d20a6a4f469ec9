"""What kind of mail it is, and what a report says of a mail of ours."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.channels.email import signed
from shared.channels.email.parse import parse
from shared.clock import now
from shared.connector import Channel
from shared.contracts.inbound import About, DeliveryNotice
from shared.parsed import Parsed, RawItem
from tests.channels.email.mailbox import ADDRESS, mailbox

KEY = bytes(range(32))
REPLY = UUID("00000000-0000-4000-8000-000000000001")
OURS = signed.message_id(REPLY, KEY, "example.com")


def channel(**settings: str) -> Channel:
    plain = mailbox()
    return Channel(plain.id, plain.kind, plain.name, {**plain.settings, "reply_key": KEY.hex(), **settings})


def read(*lines: str, body: str = "Hello", **settings: str) -> Parsed:
    data = "\r\n".join([*lines, "", body]).encode()
    return parse(RawItem(data, "message/rfc822", now(), "1.1"), channel(**settings))


@pytest.mark.parametrize(
    ("header", "nature"),
    [
        ("X-Nothing: 1", "ordinary"),
        ("Auto-Submitted: no", "ordinary"),
        ("Auto-Submitted: auto-replied", "automatic"),
        ("Auto-Submitted: auto-generated; owner-email=a@b", "automatic"),
        ("X-Autoreply: yes", "automatic"),
        ("Precedence: auto_reply", "automatic"),
        ("Precedence: bulk", "automatic"),
        ("Return-Path: <>", "automatic"),
        ("Subject: Автоматический ответ: Заказ 17", "automatic"),
        ("Subject: Автоответ: я в отпуске", "automatic"),
        ("Subject: Out of Office: back on Monday", "automatic"),
        ("Subject: Я в отпуске до 5 декабря", "automatic"),
        ("Subject: Автоматический выключатель сломан", "ordinary"),
        ("List-Id: News <news.example.org>", "list"),
        ("Precedence: list", "list"),
        ("List-Unsubscribe: <https://example.org/u>", "list"),
        (f"Message-ID: {OURS}", "loop"),
        (f"X-Okno-Reply: {OURS}", "loop"),
        (f"X-Okno-Reply: {OURS.replace(OURS[40], 'a' if OURS[40] != 'a' else 'b')}", "ordinary"),
    ],
)
def test_the_header_tells_the_nature(header: str, nature: str) -> None:
    message = read("From: client@example.org", header)
    assert (message.nature, message.about) == (nature, None)


def test_our_own_mail_under_another_message_id_is_known_by_the_one_we_gave_it() -> None:
    assert read("From: a@b.example", "Message-ID: <new@server>", f"X-Okno-Reply: {OURS}").known_as[1:] == (OURS,)
    assert read("From: a@b.example", "Message-ID: <new@server>").known_as[1:] == ()


def test_an_automatic_reply_to_a_list_is_automatic() -> None:
    assert read("From: a@b.example", "List-Id: <x>", "Auto-Submitted: auto-replied").nature == "automatic"


def test_a_web_site_that_writes_for_its_visitor_is_answered() -> None:
    form = ("From: site@shop.example", "Auto-Submitted: auto-generated", "Precedence: bulk")
    assert read(*form, "Reply-To: visitor@example.org").nature == "ordinary"
    assert read(*form, "Reply-To: site@shop.example").nature == "automatic"


REPORT = f"""This is a MIME-encapsulated message

--b
Content-Type: text/plain; charset=utf-8

This is the mail system at host mx.example.com.
Письмо не доставлено.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; ivan@example.org
Original-Recipient: rfc822;Ivan@example.org
Action: ACTION
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ivan@example.org>:
  User unknown

--b
Content-Type: message/rfc822

From: {ADDRESS}
To: ivan@example.org
Message-ID: {OURS}
Subject: Re: x

Our answer
--b--
"""


def report(action: str) -> Parsed:
    return read(
        "From: MAILER-DAEMON@mx.example.com",
        f"To: {ADDRESS}",
        "Subject: Undelivered Mail Returned to Sender",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        body=REPORT.replace("ACTION", action),
    )


def test_a_report_names_our_message_the_recipient_the_code_and_the_reason() -> None:
    message = report("failed")
    assert message.nature == "bounce"
    assert message.about == About(
        delivery=DeliveryNotice(
            (OURS,),
            "bounced",
            "ivan@example.org",
            "550 5.1.1",
            "there is no such mailbox: 550 5.1.1 <ivan@example.org>: User unknown",
            "user_unknown",
            True,
        )
    )


@pytest.mark.parametrize(
    ("action", "nature", "state"),
    [("delayed", "bounce", "delayed"), ("delivered", "receipt", "delivered"), ("relayed", "receipt", "delivered")],
)
def test_a_report_of_another_action(action: str, nature: str, state: str) -> None:
    message = report(action)
    assert message.about is not None
    assert message.about.delivery is not None
    assert (message.nature, message.about.delivery.state) == (nature, state)
    assert message.about.delivery.external_ids == (OURS,)


def test_the_words_of_mail_ru_are_understood_without_a_report() -> None:
    message = read(
        "From: mailer-daemon@corp.mail.ru",
        f"To: {ADDRESS}",
        "Subject: Ваше сообщение не доставлено. Mail failure.",
        "Content-Type: text/plain; charset=utf-8",
        body="К сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n\n"
        "  ivan@example.org\n    SMTP error from remote mail server after RCPT TO:<ivan@example.org>:\n"
        "    host mx.example.org [192.0.2.1]: 552 5.2.2 Mailbox full\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n"
        f"Return-path: <{ADDRESS}>\nFrom: {ADDRESS}\nMessage-Id: {OURS}\n\nHello",
    )
    notice = DeliveryNotice(
        (OURS,),
        "bounced",
        "ivan@example.org",
        "552 5.2.2",
        "the mailbox is full: 552 5.2.2 Mailbox full",
        "mailbox_full",
        False,
    )
    assert (message.nature, message.about) == ("bounce", About(delivery=notice))


def test_a_person_who_writes_about_a_bounce_is_a_person() -> None:
    message = read(
        "From: ivan@example.org",
        "Subject: Re: Undelivered Mail Returned to Sender",
        body="Мне пришло: 550 5.1.1 user unknown, mailbox full, could not be delivered. Что делать?",
    )
    assert (message.nature, message.about) == ("ordinary", None)


def test_a_complaint_names_our_message() -> None:
    message = read(
        "From: fbl@provider.example",
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
        body=f"--b\n\nAn abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        f"--b\nContent-Type: message/rfc822\n\nTo: ivan@example.org\nMessage-ID: {OURS}\n\nx\n--b--",
    )
    notice = DeliveryNotice((OURS,), "complained", "ivan@example.org", "abuse", "complaint: abuse")
    assert (message.nature, message.about) == ("complaint", About(delivery=notice))


@pytest.mark.parametrize("disposition", ["displayed", "deleted"])
def test_only_a_receipt_of_a_mail_that_was_shown_says_read(disposition: str) -> None:
    message = read(
        "From: ivan@example.org",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b",
        body="--b\n\nYour mail was read.\n--b\nContent-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; ivan@example.org\nOriginal-Message-ID: {OURS}\n"
        f"Disposition: manual-action/MDN-sent-manually; {disposition}\n--b--",
    )
    notice = DeliveryNotice((OURS,), "read", "ivan@example.org")
    assert message.nature == "receipt"
    assert message.about == (About(delivery=notice) if disposition == "displayed" else None)


def test_our_signed_message_id_proves_and_a_foreign_one_does_not() -> None:
    message = read("From: ivan@example.org", f"In-Reply-To: {OURS}", "References: <1@example.org>")
    assert message.refers_to == (OURS, "<1@example.org>")
    assert message.proves == (OURS,)
    assert read("From: ivan@example.org", f"In-Reply-To: {OURS}", reply_key="").proves == ()


@pytest.mark.parametrize("header", ["To", "Cc", "Delivered-To"])
def test_a_signed_address_proves_the_conversation(header: str) -> None:
    message = read("From: ivan@example.org", f"{header}: {signed.address(ADDRESS, REPLY, KEY)}")
    assert message.proves == (f"conversation:{REPLY}",)
    assert message.warnings == ()


@pytest.mark.parametrize("header", ["To", "Cc", "Delivered-To"])
def test_an_address_signed_by_somebody_else_proves_nothing_and_is_warned_of(header: str) -> None:
    message = read("From: eve@example.org", f"{header}: {signed.address(ADDRESS, REPLY, b'guessed')}")
    assert (message.proves, message.warnings) == ((), ("forged_address",))


@pytest.mark.parametrize(
    ("header", "authserv_id", "warnings"),
    [
        ("mx.example.com; spf=pass smtp.mailfrom=x; dmarc=fail (p=none) header.from=x", "mx.example.com", True),
        ("MX.example.com 1; dmarc=fail", "mx.example.com", True),
        ("mx.example.com; dmarc=pass", "mx.example.com", False),
        ("evil.example; dmarc=fail", "mx.example.com", False),
        ("mx.example.com; dmarc=fail", "", False),
        ("(mx.example.com) evil; dmarc=fail", "mx.example.com", False),
    ],
)
def test_only_our_own_server_is_believed_about_dmarc(header: str, authserv_id: str, warnings: bool) -> None:
    message = read("From: ivan@example.org", f"Authentication-Results: {header}", authserv_id=authserv_id)
    assert message.warnings == (("dmarc_failed",) if warnings else ())


def test_of_two_results_of_our_server_the_first_counts() -> None:
    lines = [f"Authentication-Results: mx.example.com; dmarc={result}" for result in ("fail", "pass")]
    assert read("From: a@b.example", *lines, authserv_id="mx.example.com").warnings == ("dmarc_failed",)


def test_two_senders_and_a_mark_of_spam_are_warned_of() -> None:
    assert read("From: a@b.example", "From: c@d.example").warnings == ("two_senders",)
    assert read("From: a@b.example, c@d.example", "X-Spam-Flag: YES").warnings == ("two_senders", "marked_spam")
    assert read("From: a@b.example", "From: a@b.example").warnings == ()


def test_the_topic_is_the_subject_without_its_prefixes() -> None:
    assert read("From: a@b.example", "Subject: Re: Fwd: Заказ 17").topic == "заказ 17"
