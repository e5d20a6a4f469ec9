"""Copies of what was sent, and the fate of a mail whose answer was lost, against a real Dovecot."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from shared.channels.email import sent_folder
from shared.channels.email.build import build
from shared.channels.email.send import SmtpSender, sender
from shared.connector import Channel, SendDelayed, SendFateUnknown, Sent
from tests.channels.email.mailbox import ADDRESS, PASSWORD, mailbox
from tests.channels.email.scripted_imap import ScriptedImap
from tests.channels.email.test_receive import until
from tests.channels.email.test_send import MESSAGE_ID, REPLY, no_files
from tests.peers.dovecot import DovecotServer
from tests.peers.smtp import SmtpServer

SENT = "Отправленные"
ENCODED = "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"


def channel(imap_port: int, smtp: SmtpServer, **settings: str | int) -> Channel:
    imap = {"imap_host": "127.0.0.1", "imap_port": imap_port, "imap_security": "none", "imap_password": PASSWORD}
    out = {"smtp_host": "localhost", "smtp_port": smtp.port, "smtp_security": "none"}
    return mailbox(**{**imap, **out, "sent_folder": SENT, **settings})


async def test_what_was_sent_lies_in_the_sent_folder_once(dovecot: DovecotServer, smtp: SmtpServer) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    post = sender(channel(dovecot.port, smtp), no_files)
    for _ in range(2):
        assert await post.send(REPLY) == Sent(MESSAGE_ID)
    await post.close()
    assert dovecot.messages(ADDRESS, ENCODED) == [build(REPLY, mailbox(), {}).data]


async def test_a_mailbox_that_is_away_delays_no_reply(smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_folder, "PAUSES_SECONDS", (0.01, 0.01))
    box = ScriptedImap(silent_at="SELECT")
    async with box.listening(), asyncio.timeout(10):
        post = sender(channel(box.port, smtp), no_files)
        assert await post.send(REPLY) == Sent(MESSAGE_ID)
        monkeypatch.setattr(sent_folder, "CLOSE_SECONDS", 0.1)
        await post.close()
    assert len(smtp.mails) == 1


async def test_a_copy_is_tried_again(dovecot: DovecotServer, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_folder, "PAUSES_SECONDS", (1.0, 10.0))
    dovecot.add_user(ADDRESS, PASSWORD)
    dovecot.kill()
    post = sender(channel(dovecot.port, smtp), no_files)
    await post.send(REPLY)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(dovecot.start)
    await until(lambda: (dovecot._maildir(ADDRESS, ENCODED)).exists() and dovecot.messages(ADDRESS, ENCODED), 30)
    await post.close()


async def test_copies_that_nobody_takes_stay_bounded(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sent_folder, "WAITING_BYTES", 2_000)
    monkeypatch.setattr(sent_folder, "CLOSE_SECONDS", 0.1)
    post = sender(channel(1, smtp), no_files)
    for _ in range(5):
        await post.send(replace(REPLY, text="x" * 900))
    assert post._sent_folder._bytes <= 2_000
    await post.close()


async def test_a_lost_answer_is_settled_by_the_sent_folder_where_the_provider_puts_copies(
    dovecot: DovecotServer, smtp: SmtpServer
) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    dovecot.deliver(ADDRESS, build(REPLY, mailbox(), {}).data, folder=ENCODED)
    post = sender(channel(dovecot.port, smtp), no_files)
    smtp.faults.cut_after_acceptance()
    assert await post.send(REPLY) == Sent(MESSAGE_ID)
    assert await post.send(replace(REPLY, text="again")) == Sent(MESSAGE_ID)
    await post.close()


async def test_the_copy_of_the_first_attempt_does_not_tell_that_the_second_one_left(
    dovecot: DovecotServer, smtp: SmtpServer
) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    post = sender(channel(dovecot.port, smtp), no_files)
    dovecot.deliver(ADDRESS, build(REPLY, mailbox(), {}).data, folder=ENCODED)
    smtp.faults.cut_after_acceptance()
    with pytest.raises(SendFateUnknown):
        await post.send(replace(REPLY, attempt=2))
    await post.close()


async def test_a_lost_answer_that_the_sent_folder_does_not_settle_stays_unknown(
    dovecot: DovecotServer, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_folder, "LOOK_SECONDS", 1.0)
    monkeypatch.setattr(sent_folder, "LOOK_AGAIN_SECONDS", 0.2)
    dovecot.add_user(ADDRESS, PASSWORD)
    post = sender(channel(dovecot.port, smtp), no_files)
    smtp.faults.cut_after_acceptance()
    with pytest.raises(SendFateUnknown):
        await post.send(REPLY)
    await post.close()
    away = sender(channel(1, smtp), no_files)
    smtp.faults.cut_after_acceptance()
    with pytest.raises(SendFateUnknown):
        await away.send(REPLY)
    await away.close()


async def told(post: SmtpSender, *replies: UUID) -> list[Sent | None]:
    async with post.settling() as settled:
        return [await settled(reply_id) for reply_id in replies]


async def test_a_copy_that_comes_into_the_sent_folder_later_tells_that_the_mail_left(
    dovecot: DovecotServer, smtp: SmtpServer
) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    post = sender(channel(dovecot.port, smtp), no_files)
    dovecot.deliver(ADDRESS, build(REPLY, mailbox(), {}).data, folder=ENCODED)
    assert await told(post, REPLY.id, UUID(int=404)) == [Sent(MESSAGE_ID), None]
    await post.close()
    post = sender(channel(1, smtp, sent_folder=""), no_files)
    assert await told(post, REPLY.id) == [None]
    await post.close()


async def test_a_mailbox_that_is_away_tells_nothing_and_says_so(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_folder, "LOOK_SECONDS", 0.5)
    with pytest.raises(SendDelayed, match="Sent folder cannot be read: connect failed"):
        await told(sender(channel(1, smtp), no_files), REPLY.id)
    box = ScriptedImap(silent_at="SEARCH", folders={"INBOX", SENT})
    async with box.listening():
        with pytest.raises(SendDelayed, match="Sent folder cannot be read: no answer in"):
            await told(sender(channel(box.port, smtp), no_files), REPLY.id)


async def test_one_login_is_enough_for_many_replies(smtp: SmtpServer) -> None:
    box = ScriptedImap()
    async with box.listening():
        post = sender(channel(box.port, smtp), no_files)
        assert await told(post, *(UUID(int=n) for n in range(5))) == [None] * 5
    assert (box.sessions, box.times("UID SEARCH")) == (1, 5)


async def test_a_look_makes_no_folder(dovecot: DovecotServer, smtp: SmtpServer) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    post = sender(channel(dovecot.port, smtp), no_files)
    with pytest.raises(SendDelayed, match="Sent folder cannot be read: the server refused SELECT"):
        await told(post, REPLY.id)
    smtp.faults.cut_after_acceptance()
    with pytest.raises(SendFateUnknown):
        await post.send(REPLY)
    assert not dovecot._maildir(ADDRESS, ENCODED).exists()
    assert await post.send(REPLY) == Sent(MESSAGE_ID)
    await post.close()
    assert dovecot._maildir(ADDRESS, ENCODED).exists()


async def test_a_wrong_password_is_tried_once_however_many_copies_and_questions_there_are(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_folder, "PAUSES_SECONDS", (0.01, 0.01))
    box = ScriptedImap(refuse={"LOGIN": "[AUTHENTICATIONFAILED] no"})
    async with box.listening():
        post = sender(channel(box.port, smtp), no_files)
        questions = [asyncio.create_task(told(post, REPLY.id)) for _ in range(3)]
        for text in ("one", "two"):
            await post.send(replace(REPLY, text=text))
        for question in questions:
            with pytest.raises(SendDelayed, match="the server refused LOGIN"):
                await question
        await post.close()
    assert box.times("LOGIN") == 1
