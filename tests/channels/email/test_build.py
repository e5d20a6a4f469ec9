"""What a reply looks like as a mail."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.channels.email import signed
from shared.channels.email.build import NoRecipient, build, reply_subject, subject_of
from shared.contracts.inbound import Address, FileRef
from shared.contracts.outbound import OutboundReply, Quoted
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


# --- what may be asked for ---------------------------------------------------------------------------------

KEY = "6b" * 32
PICTURE = FileRef("bb", 3, "схема.png", "image/png", "pic-1@okno")


def read(reply: OutboundReply, files: dict[str, bytes] | None = None, **settings: str) -> EmailMessage:
    mail = build(reply, mailbox(**settings), files or {})
    message = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def shape(part: EmailMessage) -> object:
    """The tree of media types."""
    parts = [shape(each) for each in part.iter_parts()] if part.is_multipart() else []  # type: ignore[arg-type]
    return (part.get_content_type(), *parts) if parts else part.get_content_type()


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Seen(HTMLParser):
    """The tags and attributes a mail program would find."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")


def test_without_a_wish_nothing_is_quoted() -> None:
    assert body(read(replace(REPLY, quoted=Quoted("Client", AT, "Where?"))), "plain") == "Answer\n.\nFrom us\n"


def test_copies_stand_in_the_header_and_blind_copies_only_in_the_envelope() -> None:
    to, cc, bcc = (tuple(Address("email", f"{name}@example.org") for name in names) for names in ("ab", "bc", "cd"))
    reply = replace(REPLY, to=to, cc=cc, bcc=bcc)
    assert build(reply, mailbox(), {}).recipients == tuple(f"{name}@example.org" for name in "abcd")
    message = read(reply)
    assert (str(message["To"]), str(message["Cc"])) == ("a@example.org, b@example.org", "c@example.org")
    assert message["Bcc"] is None
    assert b"d@example.org" not in build(reply, mailbox(), {}).data


def test_a_mail_to_blind_copies_alone_names_nobody() -> None:
    reply = replace(REPLY, to=(), bcc=(Address("email", "a@example.org"),))
    assert str(read(reply)["To"]) == "undisclosed-recipients:;"
    assert build(reply, mailbox(), {}).recipients == ("a@example.org",)


def test_markdown_becomes_text_and_html() -> None:
    message = read(replace(REPLY, text="**Да**, [сюда](https://okno.example)\nи <b>так</b>", markup="markdown"))
    assert shape(message) == ("multipart/alternative", "text/plain", "text/html")
    assert body(message, "plain") == "**Да**, [сюда](https://okno.example)\nи <b>так</b>\n"
    html = '<p><strong>Да</strong>, <a href="https://okno.example">сюда</a><br />\nи &lt;b&gt;так&lt;/b&gt;</p>'
    assert html in body(message, "html")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "![x](data:text/html;base64,AAAA)",
        '<img src=x onerror="alert(1)">',
        '[x](https://a.b/"onmouseover="alert(1))',
    ],
)
def test_no_script_gets_into_the_html(text: str) -> None:
    quoted = Quoted("<script>", AT, "</blockquote><script>alert(1)</script>")
    html = body(read(replace(REPLY, text=text, markup="markdown", quotes=True, quoted=quoted)), "html")
    seen = Seen(html)
    assert seen.tags <= {"html", "head", "meta", "body", "p", "div", "br", "blockquote", "a"}
    assert set(seen.attributes) <= {"charset", "type", "href"}
    assert all(link.startswith("https://") for link in seen.attributes.get("href", ()))


def test_an_image_that_the_text_names_stands_in_it_and_other_files_are_attached() -> None:
    other = FileRef("cc", 4, "договор.pdf", "application/pdf", "unused")
    reply = replace(REPLY, text="Вот: ![схема](cid:pic-1@okno)", markup="markdown", files=(PICTURE, other))
    files = {"bb": b"PNG", "cc": b"%PDF"}
    message = read(reply, files)
    related = ("multipart/related", "text/html", "image/png")
    alternative = ("multipart/alternative", "text/plain", related)
    assert shape(message) == ("multipart/mixed", alternative, "application/pdf")
    [image] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert (image["Content-ID"], image.get_content_disposition()) == ("<pic-1@okno>", "inline")
    seen = {(file.name, file.data, file.content_id) for file in parsed(build(reply, mailbox(), files).data).files}
    assert seen == {("схема.png", b"PNG", "pic-1@okno"), ("договор.pdf", b"%PDF", "")}
    assert build(reply, mailbox(), files) == build(reply, mailbox(), files)


def test_an_image_that_nothing_names_is_attached() -> None:
    message = read(replace(REPLY, files=(PICTURE,)), {"bb": b"PNG"})
    assert shape(message) == ("multipart/mixed", "text/plain", "image/png")


def test_the_signature_of_the_mailbox_names_the_operator() -> None:
    quoted = Quoted("Client", AT, "Where?")
    reply = replace(REPLY, quotes=True, quoted=quoted, author="Анна {channel}")
    message = read(reply, signature=r"{operator}\n{channel}, {address} {nobody}")
    assert body(message, "plain").split("\n")[3:7] == [
        "",
        "-- ",
        "Анна {channel}",
        "Support, support@example.com {nobody}",
    ]
    html = body(read(replace(reply, markup="markdown", author="<b>"), signature="{operator}"), "html")
    assert "-- <br>&lt;b&gt;" in html


def test_an_operators_own_signature_is_filled_in_too() -> None:
    reply = replace(REPLY, author="Анна", signature="{operator}\n{organisation}")
    below = r"{signature}\n{address}"
    texts = [
        body(read(reply, signature=below, organisation="ООО «Окно»"), "plain"),
        body(read(reply, signature="only the mailbox"), "plain"),
        body(read(replace(reply, automatic=True), signature="only the mailbox"), "plain"),
    ]
    assert [text.partition("-- \n")[2].split("\n")[:-1] for text in texts] == [
        ["Анна", "ООО «Окно»", "support@example.com"],
        ["Анна", "Support"],
        ["only the mailbox"],
    ]


def test_message_ids_and_reply_addresses_are_signed_where_there_is_a_key() -> None:
    settings = {"reply_key": KEY, "plus_addressing": "yes"}
    message, key = read(REPLY, **settings), signed.key_of(KEY)
    assert signed.is_ours(str(message["Message-ID"]), key)
    assert signed.conversation_of(str(message["Reply-To"]), key) == REPLY.conversation_id
    assert build(REPLY, mailbox(**settings), {}).sender == "support@example.com"
    assert read(REPLY, plus_addressing="yes")["Reply-To"] is None
    assert read(REPLY, reply_key=KEY)["Reply-To"] is None
    long = read(REPLY, **settings, address=f"{'a' * 30}@example.com")
    assert long["Reply-To"] is None


def test_an_automatic_reply_says_so_and_quotes_nobody() -> None:
    reply = replace(REPLY, automatic=True, quotes=True, quoted=Quoted("Client", AT, "Buy my pills"), author="")
    mail, message = build(reply, mailbox(), {}), read(reply)
    assert mail.sender == ""
    headers = ("Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "Subject", "From")
    assert [str(message[name]) for name in headers] == [
        "auto-replied",
        "bulk",
        "All",
        "Auto: Re: Question",
        "Support <support@example.com>",
    ]
    assert b"pills" not in mail.data


@given(
    st.builds(
        lambda text, name, address: replace(
            REPLY,
            text=text,
            subject=name,
            author=name,
            markup="markdown",
            quotes=True,
            quoted=Quoted(name, AT, text),
            in_reply_to=address,
            references=(address, name),
            to=(Address("email", address), Address("email", "client@example.org", name)),
            cc=(Address("email", address),),
            files=(FileRef("aa", 1, name, text, address), FileRef("aa", 1, text, "image/png", name)),
        ),
        st.text(max_size=300),
        st.text(max_size=200),
        st.one_of(st.emails(), st.text(max_size=60).map(lambda text: f"{text}@example.org"), st.text(max_size=60)),
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_people_type_makes_a_mail_with_our_headers_alone(reply: OutboundReply) -> None:
    mail = build(reply, mailbox(signature="{operator}", reply_key=KEY, plus_addressing="yes"), {"aa": b"x"})
    head = mail.data.partition(b"\r\n\r\n")[0]
    parts = list(message_from_bytes(mail.data, policy=policy.default).walk())
    names = {line.partition(b":")[0].decode() for line in head.split(b"\r\n") if not line[:1].isspace()}
    ours = {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "MIME-Version"}
    assert {name for part in parts[1:] for name in part.keys()} <= ours  # noqa: SIM118
    assert len(parts) in (6, 7)
    assert names <= {
        "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Okno-Reply",
        "Content-Type", "MIME-Version", "Content-Transfer-Encoding",
    }  # fmt: skip
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\r(?!\n)|(?<!\r)\n", head)
    assert all("\r" not in each and "\n" not in each and "\0" not in each for each in mail.recipients)


@given(st.text(min_size=1, max_size=400))
@settings(max_examples=60, deadline=None)
def test_a_subject_arrives_as_it_was_typed(subject: str) -> None:
    expected = reply_subject(subject)
    assume(expected.isprintable())
    assert parsed(build(replace(REPLY, subject=subject), mailbox(), {}).data).subject == expected


def test_every_byte_that_travels_is_ascii_and_no_line_is_too_long() -> None:
    reply = replace(REPLY, text="Очень " * 500, markup="markdown", files=(PICTURE,), author="Анна")
    data = build(reply, mailbox(signature="Тест"), {"bb": bytes(range(256)) * 50}).data
    assert data.isascii()
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
