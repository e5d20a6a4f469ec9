"""Mail handed over by a mail server: 250 only when it is kept."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from shared.channels.email import listener
from shared.channels.email.listener import is_ours
from shared.channels.email.receive import receiver
from tests.channels.email.mailbox import ADDRESS, MemoryInlet, mail, mailbox
from tests.peers.certificate import issue_certificate
from tests.peers.process import accepts, free_port


@asynccontextmanager
async def listening(kind: str, inlet: MemoryInlet, **settings: str) -> AsyncIterator[int]:
    port = free_port()
    channel = mailbox(receive_by=kind, listen_port=port, **settings)
    task = asyncio.create_task(receiver(channel, inlet).run())
    try:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(accepts, port):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield port
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def hand_over(kind: str, port: int, work: Callable[[smtplib.SMTP], Any]) -> Any:
    """Do the work with a client of another make, beside the loop."""

    def talk() -> Any:
        with (smtplib.LMTP if kind == "lmtp" else smtplib.SMTP)("127.0.0.1", port, timeout=20) as client:
            return work(client)

    return await asyncio.to_thread(talk)


@pytest.mark.parametrize("kind", ["smtp", "lmtp"])
async def test_a_mail_is_taken_byte_for_byte(kind: str) -> None:
    inlet, raw = MemoryInlet(), mail(1, body="..точка\r\n.\r\n" + "x" * 5_000)
    async with listening(kind, inlet) as port:
        await hand_over(kind, port, lambda client: client.sendmail("c@example.org", ["support+1@example.com"], raw))
    [item] = inlet.items
    assert item.data == raw
    assert item.context == {"envelope_from": "c@example.org", "envelope_to": "support+1@example.com"}
    assert inlet.reports[-1] == (None, None)


@pytest.mark.parametrize("kind", ["smtp", "lmtp"])
async def test_a_mail_that_could_not_be_kept_stays_with_the_server(kind: str) -> None:
    inlet = MemoryInlet()
    inlet.fail_on = b"Question 1"
    async with listening(kind, inlet) as port:
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            await hand_over(kind, port, lambda client: client.sendmail("c@example.org", [ADDRESS], mail(1)))
        assert refused.value.smtp_code == 451
        assert inlet.reports[-1] == (None, "a mail could not be kept: disk full")
        inlet.fail_on = None
        await hand_over(kind, port, lambda client: client.sendmail("c@example.org", [ADDRESS], mail(1)))
    assert inlet.reports[-1] == (None, None)
    assert [item.data for item in inlet.items] == [mail(1)]


async def test_the_same_mail_handed_over_again_has_the_same_key() -> None:
    inlet = MemoryInlet()
    async with listening("smtp", inlet) as port:
        for _ in range(2):
            await hand_over("smtp", port, lambda client: client.sendmail("c@example.org", [ADDRESS], mail(1)))
    assert len({item.key for item in inlet.items}) == 1


async def test_lmtp_answers_once_for_each_recipient() -> None:
    def talk(client: smtplib.SMTP) -> list[int]:
        client.ehlo_or_helo_if_needed()
        client.mail("c@example.org")
        client.rcpt(ADDRESS)
        client.rcpt("support+2@example.com")
        return [client.data(mail(1))[0], client.getreply()[0]]

    inlet = MemoryInlet()
    async with listening("lmtp", inlet) as port:
        assert await hand_over("lmtp", port, talk) == [250, 250]
    assert len(inlet.items) == 1


async def test_a_bounce_has_no_sender() -> None:
    inlet = MemoryInlet()
    async with listening("smtp", inlet) as port:
        await hand_over("smtp", port, lambda client: client.sendmail("", [ADDRESS], mail(1)))
    assert inlet.items[0].context["envelope_from"] == ""


async def test_nobody_else_s_mail_is_taken() -> None:
    inlet = MemoryInlet()
    async with listening("smtp", inlet) as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await hand_over("smtp", port, lambda client: client.sendmail("c@x.org", ["victim@example.org"], mail(1)))
    assert inlet.items == []


async def test_a_mail_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_MAIL_BYTES", 10_000)
    inlet = MemoryInlet()
    async with listening("smtp", inlet) as port:
        with pytest.raises(smtplib.SMTPException) as refused:
            await hand_over(
                "smtp", port, lambda client: client.sendmail("c@x.org", [ADDRESS], mail(1, body="x\r\n" * 5_000))
            )
        assert "552" in str(refused.value)
    assert inlet.items == []


async def test_more_connections_than_there_may_be_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CONNECTIONS", 1)
    async with asyncio.timeout(60), listening("smtp", MemoryInlet()) as port, held(port), greeted(port) as second:
        assert second == b"421"


@asynccontextmanager
async def greeted(port: int) -> AsyncIterator[bytes]:
    """What the server says first, while the connection lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield (await reader.readline())[:3]
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def held(port: int) -> AsyncIterator[None]:
    """A connection that the server has taken, after earlier ones have gone."""
    while True:
        async with greeted(port) as answer:
            if answer == b"220":
                yield
                return


async def test_a_port_that_is_taken_is_told() -> None:
    async with listening("smtp", MemoryInlet()) as port:
        with pytest.raises(OSError, match="address already in use"):
            await receiver(mailbox(receive_by="smtp", listen_port=port), MemoryInlet()).run()


@pytest.mark.parametrize(
    ("recipient", "listens_for", "taken"),
    [
        ("support@example.com", (), True),
        ("Support+okno.abc@EXAMPLE.com", (), True),
        ("sales@example.com", (), False),
        ("support@example.com.evil.org", (), False),
        ("sales@example.com", ("@example.com",), True),
        ("help+1@other.org", ("help@other.org",), True),
        ("support@example.com", ("help@other.org",), False),
    ],
)
def test_whose_mail_is_taken(recipient: str, listens_for: tuple[str, ...], taken: bool) -> None:
    assert is_ours(recipient, "support@example.com", listens_for) is taken


@pytest.mark.parametrize("kind", ["smtp", "lmtp"])
async def test_with_a_certificate_a_mail_is_taken_after_starttls_only(kind: str, tmp_path: Path) -> None:
    issued, inlet = issue_certificate(tmp_path), MemoryInlet()
    files = {"listen_certificate": str(issued.certificate), "listen_key": str(issued.key)}

    def openly(client: smtplib.SMTP) -> int:
        client.ehlo_or_helo_if_needed()
        return client.mail("c@example.org")[0]

    def encrypted(client: smtplib.SMTP) -> None:
        client.starttls(context=issued.client_context())
        client.sendmail("c@example.org", [ADDRESS], mail(1))

    async with listening(kind, inlet, **files) as port:
        assert await hand_over(kind, port, openly) == 530
        await hand_over(kind, port, encrypted)
        issue_certificate(tmp_path)  # renewed while we run: the old one is not trusted by who has the new one
        await hand_over(kind, port, encrypted)
    assert [item.data for item in inlet.items] == [mail(1), mail(1)]


async def test_a_certificate_that_is_not_there_is_told(tmp_path: Path) -> None:
    channel = mailbox(receive_by="lmtp", listen_port=free_port(), listen_certificate=str(tmp_path / "none.pem"))
    with pytest.raises(FileNotFoundError, match=r"none\.pem"):
        await receiver(channel, MemoryInlet()).run()
