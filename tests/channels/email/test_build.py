"""What a reply looks like as a mail."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from shared.channels.email.build import NoRecipient, build, reply_subject, subject_of
from shared.contracts.inbound import Address, FileRef
from shared.contracts.outbound import Quoted
from tests.channels.email.mailbox import mailbox, parsed
from tests.channels.email.test_send import MESSAGE_ID, REPLY

AT = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)


def test_the_headers_make_a_mail_program_thread_it() -> None:
    mail = message_from_bytes(build(REPLY, mailbox(), {}).data, policy=policy.default)
    assert {name: str(mail[name]) for name in ("From", "To", "Subject", "Message-ID", "In-Reply-To", "Date")} == {
        "From": "Anna <support@example.com>",
        "To": "client@example.org",
        "Subject": "Re: Question",
        "Message-ID": MESSAGE_ID,
        "In-Reply-To": "<1@example.org>",
        "Date": "Sat, 21 Nov 2026 10:00:00 +0000",
    }
    assert str(mail["References"]).split() == ["<0@example.org>", "<1@example.org>"]


def test_a_repeat_is_the_same_mail_byte_for_byte() -> None:
    reply = replace(REPLY, files=(FileRef("aa", 1, "a.pdf", "application/pdf"),))
    assert build(reply, mailbox(), {"aa": b"x"}) == build(reply, mailbox(), {"aa": b"x"})


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Вопрос", "Re: Вопрос"),
        ("RE: Вопрос", "RE: Вопрос"),
        ("Re[2]: Вопрос", "Re[2]: Вопрос"),
        ("", "Re:"),
        ("a\r\nBcc: b@c\0", "Re: a Bcc: b@c"),
    ],
)
def test_re_stands_once_before_the_subject(subject: str, expected: str) -> None:
    assert reply_subject(subject) == expected


@pytest.mark.parametrize(
    ("asked", "expected"), [("Сколько стоит?", "Ответ на ваше обращение"), ("How much?", "Our answer to your message")]
)
def test_the_answer_to_a_form_without_a_subject_says_what_it_is(asked: str, expected: str) -> None:
    form = replace(REPLY, subject="", in_reply_to="hash:ab:1", references=(), quoted=Quoted("Anna", AT, asked))
    assert subject_of(form) == expected
    assert subject_of(replace(form, references=(MESSAGE_ID,))) == expected
    assert subject_of(replace(form, in_reply_to="<1@example.org>")) == "Re:"


@pytest.mark.parametrize("evil", ["x\r\nBcc: evil@example.org", "x\nBcc: evil", "x\0y", "a\u2028b", "\ud800x"])
def test_no_control_character_reaches_a_header_and_none_raises(evil: str) -> None:
    file = FileRef("aa", 1, evil, evil)
    reply = replace(REPLY, subject=evil, author=evil, in_reply_to=evil, references=(evil,), files=(file,), text=evil)
    data = build(reply, mailbox(), {"aa": b"x"}).data
    head = data.partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in data.replace(b"Content", b"")[: len(head)]
    assert message_from_bytes(data, policy=policy.default)["Bcc"] is None
    assert b"\0" not in head


def test_a_recipient_with_a_control_character_is_none() -> None:
    with pytest.raises(NoRecipient):
        build(replace(REPLY, to=(Address("email", "a@b\r\nBcc: evil@example.org"),)), mailbox(), {})


def test_the_message_answered_stands_quoted_below_in_russian() -> None:
    quoted = Quoted("Иван", AT, "Где мой заказ?\n\n> старое")
    mail = parsed(build(replace(REPLY, text="В пути.", quoted=quoted, quotes=True), mailbox(), {}).data)
    assert mail.text == "В пути."
    assert mail.full_text == ("В пути.\n\n21 ноября 2026 г., 09:05 UTC, Иван пишет:\n> Где мой заказ?\n>\n>> старое")


def test_the_message_answered_stands_quoted_below_in_english() -> None:
    mail = parsed(build(replace(REPLY, quoted=Quoted("Client", AT, "Where?"), quotes=True), mailbox(), {}).data)
    assert mail.text == "Answer\n.\nFrom us"
    assert "On November 21, 2026, at 09:05 UTC, Client wrote:\n> Where?" in mail.full_text


def test_a_long_chain_of_references_keeps_the_first_and_the_newest() -> None:
    ids = tuple(f"<{number}@example.org>" for number in range(200))
    mail = parsed(build(replace(REPLY, references=ids, in_reply_to=ids[-1]), mailbox(), {}).data)
    assert mail.refers_to == (*reversed(ids[-19:]), ids[0])


def test_mailbox_and_client_in_national_domains() -> None:
    channel = mailbox(address="support@пример.рф")
    mail = build(replace(REPLY, to=(Address("email", "a@почта.рф"),)), channel, {})
    assert (mail.sender, mail.recipients) == ("support@xn--e1afmkfd.xn--p1ai", ("a@xn--80a1acny.xn--p1ai",))
    assert not mail.needs_utf8
    assert parsed(mail.data).sender.address == "support@пример.рф"
