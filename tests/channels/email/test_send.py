"""The sender against a real SMTP server that misbehaves on demand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
import pytest_asyncio

from shared.channels.email.send import SmtpSender, sender
from shared.connector import Channel, SendDelayed, SenderBroken, SendFateUnknown, SendRefused, Sent
from shared.contracts.inbound import Address, FileRef
from shared.contracts.outbound import OutboundReply
from tests.channels.email.mailbox import CHANNEL_ID, mailbox, parsed
from tests.channels.email.scripted_smtp import ScriptedSmtp
from tests.peers.smtp import SmtpServer

REPLY_ID = UUID("00000000-0000-0000-0000-00000000000a")
MESSAGE_ID = f"<okno.{REPLY_ID}@example.com>"
REPLY = OutboundReply(
    id=REPLY_ID,
    conversation_id=UUID(int=2),
    channel_id=CHANNEL_ID,
    to=(Address("email", "client@example.org", "Client"),),
    subject="Question",
    text="Answer\n.\nFrom us",
    author="Anna",
    requested_at=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    in_reply_to="<1@example.org>",
    references=("<0@example.org>",),
    thread_key="",
    quoted=None,
    files=(),
)


async def no_files(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)


def channel(port: int, **settings: str | int) -> Channel:
    return mailbox(**{"smtp_host": "localhost", "smtp_port": port, "smtp_security": "none", **settings})


@pytest_asyncio.fixture
async def post(smtp: SmtpServer) -> AsyncIterator[SmtpSender]:
    post = sender(channel(smtp.port), no_files)
    yield post
    await post.close()


async def test_a_reply_arrives_as_it_was_written(smtp: SmtpServer, post: SmtpSender) -> None:
    assert await post.send(REPLY) == Sent(MESSAGE_ID)
    [received] = smtp.mails
    assert (received.sender, received.recipients) == ("support@example.com", ("client@example.org",))
    mail = parsed(received.raw)
    assert (mail.external_id, mail.subject, mail.text) == (MESSAGE_ID, "Re: Question", "Answer\n.\nFrom us")
    assert mail.refers_to == ("<1@example.org>", "<0@example.org>")


async def test_only_mail_addresses_of_the_reply_are_recipients(smtp: SmtpServer, post: SmtpSender) -> None:
    to = (Address("phone", "+79990000000"), Address("email", "a@example.org"), Address("email", "b@пример.рф"))
    await post.send(replace(REPLY, to=to, text="Cc: evil@example.org", subject="x\r\nBcc: evil@example.org"))
    assert smtp.mails[0].recipients == ("a@example.org", "b@xn--e1afmkfd.xn--p1ai")
    assert b"\r\nBcc:" not in smtp.mails[0].raw


async def test_a_reply_without_a_mail_address_is_refused(post: SmtpSender) -> None:
    with pytest.raises(SendRefused, match="no e-mail address"):
        await post.send(replace(REPLY, to=(Address("phone", "+79990000000"),)))


async def test_an_address_that_is_not_ascii_goes_by_smtputf8(smtp: SmtpServer, post: SmtpSender) -> None:
    await post.send(replace(REPLY, to=(Address("email", "иван@почта.рф"),)))
    assert smtp.mails[0].recipients == ("иван@xn--80a1acny.xn--p1ai",)


async def test_smtputf8_is_asked_for_only_where_it_is_needed_and_missed_in_words() -> None:
    async with ScriptedSmtp().listening() as server:  # does not offer it
        post = sender(channel(server.port, smtp_username="", smtp_password=""), no_files)
        with pytest.raises(SendRefused, match="non-ASCII letters \\(no SMTPUTF8\\)"):
            await post.send(replace(REPLY, to=(Address("email", "иван@почта.рф"),)))
        assert server.mails == 0
        await post.send(replace(REPLY, to=(Address("email", "ivan@почта.рф"),)))
        await post.close()
    assert server.mails == 1


async def test_a_connection_is_used_again(smtp: SmtpServer, post: SmtpSender) -> None:
    for _ in range(5):
        await post.send(REPLY)
    assert len(smtp.mails) == 5
    assert len(post._pool.idle) == 1


async def test_many_replies_at_once_share_a_few_connections(smtp: SmtpServer, post: SmtpSender) -> None:
    await asyncio.gather(*[post.send(REPLY) for _ in range(30)])
    assert len(smtp.mails) == 30
    assert len(post._pool.idle) <= 4


async def test_a_kept_connection_that_died_is_replaced(smtp: SmtpServer, post: SmtpSender) -> None:
    await post.send(REPLY)
    smtp.stop()
    smtp.start()
    await post.send(REPLY)
    assert len(smtp.mails) == 2


async def test_a_kept_connection_that_dies_after_its_check_is_replaced(
    smtp: SmtpServer, post: SmtpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post.send(REPLY)
    smtp.stop()
    smtp.start()
    monkeypatch.setattr(post._pool.idle[0], "noop", AsyncMock())
    await post.send(REPLY)
    assert len(smtp.mails) == 2


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
async def test_a_temporary_refusal_is_tried_later(smtp: SmtpServer, post: SmtpSender, at: str) -> None:
    smtp.faults.answer(450, "4.2.0 try later", at=at)  # type: ignore[arg-type]
    with pytest.raises(SendDelayed, match=r"450 4\.2\.0 try later") as delayed:
        await post.send(REPLY)
    assert delayed.value.code == "450"
    await post.send(REPLY)
    assert len(smtp.mails) == 1


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
async def test_a_final_refusal_fails_in_the_servers_words(smtp: SmtpServer, post: SmtpSender, at: str) -> None:
    smtp.faults.answer(550, "5.1.1 no such user", at=at)  # type: ignore[arg-type]
    with pytest.raises(SendRefused, match=r"550 5\.1\.1 no such user") as refused:
        await post.send(REPLY)
    assert refused.value.code == "550"
    await post.send(REPLY)
    assert len(smtp.mails) == 1


async def test_a_day_s_quota_that_is_used_up_is_waited_for(smtp: SmtpServer, post: SmtpSender) -> None:
    smtp.faults.answer(550, "5.4.5 Daily user sending limit exceeded")
    with pytest.raises(SendDelayed, match=r"5\.4\.5 Daily") as delayed:
        await post.send(REPLY)
    assert delayed.value.retry_after_seconds == 3600


async def test_an_automatic_reply_has_no_envelope_sender(smtp: SmtpServer, post: SmtpSender) -> None:
    await post.send(replace(REPLY, automatic=True))
    assert smtp.mails[0].sender == "<>"  # as aiosmtpd writes the empty one


async def test_blind_copies_are_recipients(smtp: SmtpServer, post: SmtpSender) -> None:
    await post.send(replace(REPLY, cc=(Address("email", "c@example.org"),), bcc=(Address("email", "b@example.org"),)))
    assert smtp.mails[0].recipients == ("client@example.org", "c@example.org", "b@example.org")


async def test_what_is_no_message_is_refused(smtp: SmtpServer, post: SmtpSender) -> None:
    with pytest.raises(SendRefused, match=r"cannot be changed once it is sent \(edit\)"):
        await post.send(replace(REPLY, action="edit", target=MESSAGE_ID))
    assert smtp.mails == []


async def test_one_refused_recipient_refuses_the_mail_for_all(smtp: SmtpServer, post: SmtpSender) -> None:
    smtp.faults.answer(550, "5.1.1 no such user", at="rcpt")
    with pytest.raises(SendRefused, match=r"550 5\.1\.1 no such user \(a@example\.org\)"):
        await post.send(replace(REPLY, to=(Address("email", "a@example.org"), Address("email", "b@example.org"))))
    assert smtp.mails == []


@pytest.mark.parametrize("accepted", [True, False])
async def test_an_answer_lost_after_the_mail_was_handed_over_is_unknown(
    smtp: SmtpServer, post: SmtpSender, accepted: bool
) -> None:
    (smtp.faults.cut_after_acceptance if accepted else smtp.faults.cut_before_acceptance)()
    with pytest.raises(SendFateUnknown, match="while the mail was handed over"):
        await post.send(REPLY)
    assert len(smtp.mails) == accepted
    await post.send(REPLY)


async def test_a_server_silent_after_the_mail_leaves_its_fate_unknown(smtp: SmtpServer) -> None:
    smtp.faults.delay_seconds = 1
    post = SmtpSender(channel(smtp.port), no_files, data_seconds=0.2)
    with pytest.raises(SendFateUnknown):
        await post.send(REPLY)
    await post.close()


async def test_no_server_is_tried_later(smtp: SmtpServer, post: SmtpSender) -> None:
    smtp.stop()
    with pytest.raises(SendDelayed, match="cannot be reached"):
        await post.send(REPLY)


async def test_a_refused_login_breaks_the_sender(smtp: SmtpServer) -> None:
    smtp.users["support@example.com"] = "right"
    for password, expectation in (("wrong", "535"), ("", "530")):
        post = sender(channel(smtp.port, smtp_password=password), no_files)
        with pytest.raises(SenderBroken, match=expectation):
            await post.send(REPLY)
        await post.close()
    post = sender(channel(smtp.port, smtp_password="right"), no_files)
    await post.send(REPLY)
    await post.close()
    assert smtp.mails[0].login == "support@example.com"


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encrypted_connections(smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, security: str) -> None:
    port = smtp.tls_port if security == "tls" else smtp.port
    post = sender(channel(port, smtp_security=security), no_files)
    with pytest.raises(SenderBroken, match="certificate is not trusted"):
        await post.send(REPLY)
    monkeypatch.setenv("SSL_CERT_FILE", str(smtp.ca_path))
    post = sender(channel(port, smtp_security=security), no_files)
    await post.send(REPLY)
    await post.close()
    assert smtp.mails[0].tls


async def test_attachments_travel_with_their_names(smtp: SmtpServer) -> None:
    async def read(sha256: str) -> bytes:
        return b"%PDF \x00\xff"

    post = sender(channel(smtp.port), read)
    await post.send(replace(REPLY, files=(FileRef("aa", 1, "отчёт.pdf", "application/pdf"),)))
    await post.close()
    [file] = parsed(smtp.mails[0].raw).files
    assert (file.name, file.media_type, file.data) == ("отчёт.pdf", "application/pdf", b"%PDF \x00\xff")


async def test_a_lost_attachment_refuses_the_reply(post: SmtpSender) -> None:
    with pytest.raises(SendRefused, match="attachment"):
        await post.send(replace(REPLY, files=(FileRef("aa", 1, "a.pdf", "application/pdf"),)))


async def test_a_mailbox_that_only_receives_refuses_replies() -> None:
    with pytest.raises(SendRefused, match="only receives"):
        await sender(mailbox(), no_files).send(REPLY)
