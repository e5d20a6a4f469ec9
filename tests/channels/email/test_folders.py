"""Several folders of one mailbox, and what happens to a mail once it is kept, against a real Dovecot."""

import asyncio

import pytest
import uvloop

from shared.channels.email import config, folders, places
from shared.channels.email.imap import ImapError
from shared.channels.email.places import Place, item_key
from shared.channels.email.receive import receiver
from tests.channels.email.mailbox import ADDRESS, MemoryInlet, mail
from tests.channels.email.scripted_imap import ScriptedImap
from tests.channels.email.test_receive import box, channel, idles, open_connection, receiving, until
from tests.channels.email.test_receive_faults import channel as scripted_channel
from tests.peers.dovecot import DovecotServer

__all__ = ["box"]


async def test_every_folder_is_read_and_has_its_own_place(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    box.deliver(ADDRESS, mail(2), folder="Sales")
    inlet = MemoryInlet()
    async with receiving(channel(box.port, imap_folder="INBOX, Sales"), inlet) as task:
        await inlet.have(2)
        await idles(task, inlet)
        box.deliver(ADDRESS, mail(3), folder="Sales")
        box.deliver(ADDRESS, mail(4))
        items = await inlet.have(4)
        await until(lambda: {name: place.uid for name, place in read(inlet).items()} == {"INBOX": 2, "Sales": 2})
    assert {item.data for item in items} == {mail(number) for number in range(1, 5)}
    assert len({item.key for item in items}) == 4
    assert inlet.reports[-1] == (0, None)


async def test_a_folder_that_is_missing_is_told_of_and_does_not_stop_the_first(box: DovecotServer) -> None:
    inlet = MemoryInlet()
    async with receiving(channel(box.port, imap_folder="INBOX, Sales"), inlet) as task:
        await until(lambda: any("Sales: the server refused SELECT" in str(problem) for _, problem in inlet.reports))
        box.deliver(ADDRESS, mail(1))
        await inlet.have(1)
        box.deliver(ADDRESS, mail(2), folder="Sales")
        await inlet.have(2)
        await until(lambda: inlet.reports[-1] == (0, None))
        assert not task.done()


def test_mails_of_two_folders_never_share_a_key() -> None:
    keys = [item_key(folder, 7, 1) for folder in ("INBOX", "inbox", "Sales", "Sales.7")]
    assert keys == ["7.1", "7.1", "Sales.7.1", "Sales.7.7.1"]


def test_places_survive_being_written_and_read() -> None:
    kept = {"INBOX": Place(7, 1), "Поддержка/VIP": Place(8, 2)}
    assert places.read(places.write(kept)) == kept


async def test_places_in_another_mailbox_are_gone_through_anew() -> None:
    inlet = MemoryInlet()
    first = await places.Places.load(inlet.cursor, "INBOX", "support@one.example")
    await first.save("INBOX", Place(7, 100))
    same = await places.Places.load(inlet.cursor, "INBOX", "support@one.example")
    other = await places.Places.load(inlet.cursor, "INBOX", "support@two.example")
    assert (same.of("INBOX"), other.of("INBOX")) == (Place(7, 100), Place(places.NO_VALIDITY, 100))


async def test_a_mailbox_that_moves_to_another_server_loses_no_mail(box: DovecotServer) -> None:
    """Its UIDVALIDITY may well be the same there, and its numbers further."""
    for number in range(1, 4):
        box.deliver(ADDRESS, mail(number))
    inlet = MemoryInlet()
    async with receiving(channel(box.port), inlet):
        await inlet.have(3)
        await until(lambda: read(inlet)["INBOX"].uid == 3)
    moved = MemoryInlet()
    assert inlet.cursor.place is not None
    moved.cursor.place = inlet.cursor.place.replace("127.0.0.1", "old.example")
    async with receiving(channel(box.port), moved):
        assert {item.data for item in await moved.have(3)} == {mail(number) for number in range(1, 4)}


async def test_mails_are_marked_or_moved_on_a_real_server(box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    async with receiving(channel(box.port, after_receiving="seen"), MemoryInlet()) as task:
        connection = await open_connection(box)
        async with asyncio.timeout(60):
            while not await connection.search("SEEN"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert not task.done()
    connection.close()
    inlet = MemoryInlet()
    async with receiving(channel(box.port, after_receiving="move", move_to="Готово"), inlet):
        await inlet.have(1)
        await until(lambda: not box.messages(ADDRESS))
    assert box.messages(ADDRESS, "&BBMEPgRCBD4EMgQ+-") == [mail(1)]


@pytest.mark.parametrize("without", ["MOVE", "MOVE UIDPLUS"])
async def test_a_server_without_move_is_served_in_steps(without: str, box: DovecotServer) -> None:
    box.deliver(ADDRESS, mail(1))
    connection = await open_connection(box)
    connection._client.protocol.capabilities -= set(without.split())
    await connection.create("Done")
    await connection.move([1], "Done")
    assert box.messages(ADDRESS, "Done") == [mail(1)]
    assert await connection.search("DELETED") == ([1] if "UIDPLUS" in without else [])
    connection.close()


async def test_folders_are_listed_as_people_name_them(box: DovecotServer) -> None:
    connection = await open_connection(box)
    for name in ("Sent", "Отправленные", 'A "B" & \\C'):
        await connection.create(name)
    assert set(await connection.folders()) == {"INBOX", "Sent", "Отправленные", 'A "B" & \\C'}
    connection.close()


def test_a_server_killed_while_mails_are_accepted_is_a_lost_connection_under_uvloop(box: DovecotServer) -> None:
    """uvloop raises RuntimeError for a write to a closed connection."""
    for number in range(1, 4):
        box.deliver(ADDRESS, mail(number))

    class KillingInlet(MemoryInlet):
        async def accept(self, item):  # type: ignore[no-untyped-def]
            box.kill()
            await asyncio.sleep(0.1)
            return await super().accept(item)

    async def main() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folders, "BYTES_PER_FETCH", 1)
            await receiver(channel(box.port), KillingInlet()).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, pytest.raises(ImapError):
        runner.run(main())


async def test_one_mailbox_uses_one_connection_for_each_folder() -> None:
    server, inlet = ScriptedImap({1: mail(1)}), MemoryInlet()
    async with server.listening(), receiving(scripted_channel(server, imap_folder="INBOX,A,B"), inlet):
        await inlet.have(3)
        await until(lambda: server.times("IDLE") == 3)
    assert server.sessions == 3


def test_names_with_commas_between_them_are_folders() -> None:
    assert config.folders({"imap_folder": " Inbox ,, Sales/VIP,INBOX"}) == ("INBOX", "Sales/VIP")


def read(inlet: MemoryInlet) -> dict[str, Place]:
    return places.read(inlet.cursor.place) if inlet.cursor.place else {}
