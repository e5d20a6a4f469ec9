"""The receiver against a real Dovecot."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from shared.channels.email import folders, imap, imap_client, places
from shared.channels.email.receive import receiver
from shared.clock import from_text, now
from shared.connector import Channel
from tests.channels.email.mailbox import ADDRESS, PASSWORD, MemoryInlet, mail, mailbox
from tests.peers.dovecot import DovecotServer
from tests.peers.proxy import Proxy


@pytest.fixture
def box(dovecot: DovecotServer) -> DovecotServer:
    dovecot.add_user(ADDRESS, PASSWORD)
    return dovecot


def channel(port: int, **settings: str | int) -> Channel:
    given = {"imap_host": "127.0.0.1", "imap_port": port, "imap_security": "none", "imap_password": PASSWORD}
    return mailbox(**{**given, **settings})


@asynccontextmanager
async def receiving(channel: Channel, inlet: MemoryInlet) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(receiver(channel, inlet).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, imap.ImapError, OSError):
            await task


async def until(reached: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def idles(task: "asyncio.Task[None]", inlet: MemoryInlet) -> None:
    """Wait until it has caught up and had the time to say IDLE."""
    async with asyncio.timeout(60):
        while not inlet.reports and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)


async def test_mails_that_wait_and_mails_that_arrive_are_accepted_once_in_order(box: DovecotServer) -> None:
    for number in range(1, 4):
        box.deliver(ADDRESS, mail(number))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet) as task:
        await inlet.have(3)
        await idles(task, inlet)
        box.deliver(ADDRESS, mail(4))
        items = await inlet.have(4)
        await until(lambda: last_uid(inlet.cursor.place) == 4 and inlet.reports[-1] == (0, None))
    assert [item.data for item in items] == [mail(number) for number in range(1, 5)]
    assert inlet.numbers() == [1, 2, 3, 4]
    validity = items[0].key.split(".")[0]
    assert inlet.cursor.place == places.write({"INBOX": places.Place(int(validity), 4)}, f"{ADDRESS}@127.0.0.1")
    assert inlet.reports[-1] == (0, None)


@pytest.mark.alone
async def test_a_mail_is_there_within_a_second_of_its_arrival(box: DovecotServer) -> None:
    inlet, waits = MemoryInlet(), []
    async with receiving(channel(box.port), inlet) as task:
        await idles(task, inlet)
        for number in range(1, 6):
            delivered = time.monotonic()
            box.deliver(ADDRESS, mail(number))
            await inlet.have(number)
            waits.append(inlet.times[-1] - delivered)
            await asyncio.sleep(0.1)
    # Dovecot 2.3 itself waits 0.5 s for more before it tells (NOTIFY_DELAY_MSECS).
    assert max(waits) < 1, waits


async def test_after_a_restart_it_goes_on_where_it_was(box: DovecotServer) -> None:
    inlet = MemoryInlet()
    box.deliver(ADDRESS, mail(1))
    async with receiving(channel(box.port), inlet):
        await inlet.have(1)
        await asyncio.sleep(0.2)
    box.deliver(ADDRESS, mail(2))
    async with receiving(channel(box.port), inlet):
        await inlet.have(2)
        await asyncio.sleep(0.3)
    assert inlet.numbers() == [1, 2]


async def test_the_cursor_does_not_pass_a_mail_that_was_not_accepted(box: DovecotServer) -> None:
    for number in range(1, 5):
        box.deliver(ADDRESS, mail(number))
    inlet = MemoryInlet()
    inlet.fail_on = b"<3@example.org>"
    async with receiving(channel(box.port), inlet) as task:
        with pytest.raises(OSError, match="disk full"):
            await task
    assert inlet.cursor.saved[1:] == []
    inlet.fail_on = None
    async with receiving(channel(box.port), inlet):
        await inlet.have(5)
    assert set(inlet.numbers()) == {1, 2, 3, 4}


async def test_a_mail_told_of_within_another_answer_is_not_waited_for(
    box: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.deliver(ADDRESS, mail(1))
    mails = imap.Connection.mails

    async def deliver_then_fetch(connection: imap.Connection, uids: list[int], size: int) -> dict[int, bytes]:
        if uids == [1]:
            box.deliver(ADDRESS, mail(2))
        return await mails(connection, uids, size)

    monkeypatch.setattr(imap.Connection, "mails", deliver_then_fetch)
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        await inlet.have(2, timeout_seconds=8)


async def test_nothing_is_marked_as_seen(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        await inlet.have(1)
    connection = await open_connection(box)
    assert await connection.search("SEEN") == []
    connection.close()


async def test_new_uids_after_a_renumbering_are_read_from_the_start(box: DovecotServer) -> None:
    inlet = MemoryInlet()
    box.deliver(ADDRESS, mail(1))
    async with receiving(channel(box.port), inlet):
        await inlet.have(1)
    before = inlet.cursor.place
    await asyncio.sleep(1.1)  # Dovecot's UIDVALIDITY is a time in seconds
    box.renumber(ADDRESS)
    box.deliver(ADDRESS, mail(2))
    async with receiving(channel(box.port), inlet):
        items = await inlet.have(3)
    assert sorted(item.data for item in items[1:]) == [mail(1), mail(2)]
    assert uid_validity(inlet.cursor.place) != uid_validity(before)


async def test_only_new_mails_are_read_when_the_first_fetch_is_new(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    inlet = MemoryInlet()
    async with receiving(channel(box.port, first_fetch="new"), inlet) as task:
        await idles(task, inlet)
    box.deliver(ADDRESS, mail(2))
    async with receiving(channel(box.port, first_fetch="new"), inlet):
        items = await inlet.have(1)
    assert [item.data for item in items] == [mail(2)]


async def test_first_fetch_of_the_last_days_includes_what_arrived_today(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    inlet = MemoryInlet()
    async with receiving(channel(box.port, first_fetch="7"), inlet):
        assert [item.data for item in await inlet.have(1)] == [mail(1)]


async def test_a_folder_with_a_cyrillic_name_is_read(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1), folder="&BB8EPgQ0BDQENQRABDYEOgQw-")
    inlet = MemoryInlet()
    async with receiving(channel(box.port, imap_folder="Поддержка"), inlet):
        assert len(await inlet.have(1)) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encrypted_connections(box: DovecotServer, monkeypatch: pytest.MonkeyPatch, security: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(box.ca_path))
    port = box.tls_port if security == "tls" else box.port
    inlet = MemoryInlet()
    box.deliver(ADDRESS, mail(1))
    async with receiving(channel(port, imap_host="localhost", imap_security=security), inlet):
        assert len(await inlet.have(1)) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_an_untrusted_certificate_is_refused_in_words(box: DovecotServer, security: str) -> None:
    port = box.tls_port if security == "tls" else box.port
    with pytest.raises(imap.ImapError, match="certificate is not trusted"):
        await receiver(channel(port, imap_security=security), MemoryInlet()).run()


async def test_a_wrong_password_is_told_in_the_servers_words(box: DovecotServer) -> None:
    with pytest.raises(imap.ImapError, match=r"refused LOGIN: .*Authentication failed"):
        await receiver(channel(box.port, imap_password="wrong"), MemoryInlet()).run()


async def test_a_missing_folder_is_told(box: DovecotServer) -> None:
    with pytest.raises(imap.ImapError, match="refused SELECT"):
        await receiver(channel(box.port, imap_folder="Nowhere"), MemoryInlet()).run()


async def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(imap.ImapError, match="connect failed"):
        await receiver(channel(1), MemoryInlet()).run()


async def test_a_connection_lost_while_idle_ends_the_run_at_once(box: DovecotServer) -> None:
    inlet = MemoryInlet()
    with Proxy(box.port) as proxy:
        async with receiving(channel(proxy.port), inlet) as task:
            await idles(task, inlet)
            proxy.cut()
            async with asyncio.timeout(8):
                with pytest.raises(imap.ImapError, match="connection was lost"):
                    await task


async def test_a_silent_server_is_given_up(box: DovecotServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.3)
    with Proxy(box.port) as proxy:
        proxy.half_open = True
        with pytest.raises(imap.ImapError, match="did not answer connect in 0 s"):
            await receiver(channel(proxy.port), MemoryInlet()).run()


async def test_a_server_without_idle_is_polled(box: DovecotServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_client.Client, "has_capability", lambda self, name: name == "IMAP4REV1")
    monkeypatch.setattr(folders, "POLL_SECONDS", 0.1)
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet) as task:
        await idles(task, inlet)
        box.deliver(ADDRESS, mail(1))
        await inlet.have(1)


async def test_idle_is_said_again_before_the_server_hangs_up(
    box: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "IDLE_SECONDS", 0.2)
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet) as task:
        await idles(task, inlet)
        await asyncio.sleep(1)
        assert len(inlet.reports) > 3
        box.deliver(ADDRESS, mail(1))
        await inlet.have(1)


async def test_a_mail_deleted_between_search_and_fetch_is_passed_over(
    box: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        box.deliver(ADDRESS, mail(number))
    listed = imap.Connection.listed

    async def list_then_delete(connection: imap.Connection, uids: list[int]) -> object:
        found = await listed(connection, uids)
        other = await open_connection(box)
        await other._client.protocol.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        await other._client.protocol.expunge()
        other.close()
        return found

    monkeypatch.setattr(imap.Connection, "listed", list_then_delete)
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        await inlet.have(2)
        await until(lambda: last_uid(inlet.cursor.place) == 3)
    assert inlet.numbers() == [1, 3]
    assert last_uid(inlet.cursor.place) == 3


async def test_a_mail_of_30_megabytes_arrives_whole(box: DovecotServer) -> None:
    large = mail(1, body="\r\n".join(["x" * 70] * 430_000))
    box.deliver(ADDRESS, large)
    box.deliver(ADDRESS, mail(2))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        items = await inlet.have(2, timeout_seconds=60)
    assert [item.data == expected for item, expected in zip(items, (large, mail(2)), strict=True)] == [True, True]


async def test_a_mail_over_the_limit_is_kept_in_part_with_the_reason(
    box: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_MAIL_BYTES", 100_000)
    monkeypatch.setattr(folders, "BYTES_PER_FETCH", 50_000)
    large = mail(1, body="x" * 200_000)
    box.deliver(ADDRESS, large)
    box.deliver(ADDRESS, mail(2))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        items = await inlet.have(2)
    assert items[0].data == large[: folders.KEPT_OF_TOO_LARGE]
    assert "more than 100000" in items[0].context["refused"]
    assert items[1].data == mail(2)


async def test_a_thousand_mails_survive_connections_that_break(box: DovecotServer) -> None:
    for number in range(1, 1_001):
        box.deliver(ADDRESS, mail(number))
    inlet = MemoryInlet()
    with Proxy(box.port) as proxy:
        for enough in (100, 400, 700):
            async with receiving(channel(proxy.port), inlet):
                await inlet.have(enough, timeout_seconds=30)
                proxy.cut()
        async with receiving(channel(proxy.port), inlet):
            while last_uid(inlet.cursor.place) < 1000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert {item.data for item in inlet.items} == {mail(number) for number in range(1, 1_001)}


async def test_a_mailbox_that_only_sends_rests(box: DovecotServer) -> None:
    inlet = MemoryInlet()
    async with receiving(mailbox(smtp_host="127.0.0.1"), inlet) as task:
        await asyncio.sleep(0.05)
        assert not task.done()
    assert inlet.reports == [(0, None)]


def last_uid(place: str | None) -> int:
    return places.read(str(place))["INBOX"].uid


def uid_validity(place: str | None) -> int:
    return places.read(str(place))["INBOX"].uid_validity


async def open_connection(box: DovecotServer) -> imap.Connection:
    """A second client of the mailbox."""
    from shared.channels.email.config import imap_server

    connection = imap.Connection(imap_server(channel(box.port).settings))
    await connection.open()
    await connection.select("INBOX")
    return connection


async def test_a_real_server_tells_when_it_got_a_mail(box: DovecotServer) -> None:
    began = now() - timedelta(seconds=2)
    box.deliver(ADDRESS, mail(1))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        (item,) = await inlet.have(1)
    assert began <= from_text(item.context["arrived_at"]) <= now()
