"""The receiver against a server that misbehaves as no real one does on demand."""

import asyncio
from datetime import UTC, datetime

import pytest

from shared.channels.email import folders, imap, imap_client, places, receive
from shared.channels.email.places import Place
from shared.channels.email.receive import receiver
from shared.channels.email.status import Status
from shared.connector import Channel, ReceiverRefused
from tests.channels.email.mailbox import MemoryInlet, mail, mailbox
from tests.channels.email.scripted_imap import ScriptedImap, many
from tests.channels.email.test_receive import receiving, until


def channel(box: ScriptedImap, **settings: str) -> Channel:
    given = {"imap_host": "127.0.0.1", "imap_port": box.port, "imap_security": "none", "imap_password": "secret"}
    return mailbox(**{**given, **settings})


def inlet_at(uid: int, uid_validity: int = 7) -> MemoryInlet:
    inlet = MemoryInlet()
    inlet.cursor.place = places.write({"INBOX": Place(uid_validity, uid)})
    return inlet


def place_of(inlet: MemoryInlet, folder: str = "INBOX") -> Place:
    return places.read(str(inlet.cursor.place))[folder]


async def test_a_drop_in_the_middle_of_a_mail_loses_and_doubles_nothing() -> None:
    box = ScriptedImap({number: mail(number) for number in range(1, 4)}, cut_in_literal=1)
    inlet = MemoryInlet()
    async with box.listening():
        with pytest.raises(imap.ImapError, match="connection was lost"):
            await run(box, inlet)
        assert inlet.items == []
        async with receiving(channel(box), inlet):
            items = await inlet.have(3)
    assert [item.data for item in items] == [mail(1), mail(2), mail(3)]


async def run(box: ScriptedImap, inlet: MemoryInlet, **settings: str) -> None:
    await receiver(channel(box, **settings), inlet).run()


@pytest.mark.parametrize("command", ["CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH", "IDLE"])
async def test_a_server_that_falls_silent_is_given_up_and_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "COMMAND_SECONDS", 0.3)
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.3)
    box = ScriptedImap({1: mail(1)}, silent_at=command)
    async with box.listening():
        with pytest.raises(imap.ImapError, match="did not answer"):
            await run(box, MemoryInlet())


async def test_the_last_mail_that_every_search_returns_is_not_taken_again() -> None:
    box, inlet = ScriptedImap({5: mail(5)}), inlet_at(5)
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("IDLE"))
    assert "UID SEARCH UID 6:*" in box.commands
    assert inlet.items == []
    assert inlet.reports[-1] == (0, None)


async def test_a_mail_expunged_during_the_fetch_is_passed_over() -> None:
    box = ScriptedImap({number: mail(number) for number in range(1, 5)}, expunge_before_fetch={2})
    inlet = MemoryInlet()
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("IDLE"))
    assert inlet.numbers() == [1, 3, 4]
    assert place_of(inlet) == Place(7, 4)


async def test_fifty_thousand_mails_on_the_first_connect_are_shown_as_lag_and_read_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = ScriptedImap(many(50_000, b"Subject: x\r\n\r\n" + b"y" * 200))
    inlet = MemoryInlet()
    async with box.listening(), receiving(channel(box), inlet):
        await inlet.have(1_000)
    assert inlet.reports[0] == (50_000, None)
    assert inlet.numbers()[:1_000] == list(range(1, 1_001))
    assert max(command.count(",") for command in box.commands) == 0


async def test_fifty_thousand_old_mails_are_left_alone_when_only_new_ones_are_wanted() -> None:
    box = ScriptedImap(many(50_000, b"Subject: old\r\n\r\n"))
    inlet = MemoryInlet()
    async with box.listening(), receiving(channel(box, first_fetch="new"), inlet):
        await until(lambda: box.times("IDLE"))
        box.add(mail(50_001))
        items = await inlet.have(1)
        await until(lambda: place_of(inlet).uid == 50_001)
    assert [item.data for item in items] == [mail(50_001)]
    assert place_of(inlet).since == datetime.now(UTC).date()


async def test_an_answer_of_thousands_of_lines_does_not_end_the_connection() -> None:
    box, inlet = ScriptedImap({1: mail(1)}), inlet_at(1)
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("IDLE"))
        box.burst = [f"* {number} EXPUNGE" for number in range(3_000, 0, -1)]
        box.add(mail(2))
        await inlet.have(1)
    assert box.sessions == 1


async def test_uids_that_went_back_without_a_new_uidvalidity_are_read_from_the_start() -> None:
    box, inlet = ScriptedImap({1: mail(1), 2: mail(2)}), inlet_at(900)
    async with box.listening(), receiving(channel(box), inlet):
        items = await inlet.have(2)
        await until(lambda: place_of(inlet) == Place(7, 2))
    assert [item.data for item in items] == [mail(1), mail(2)]


async def test_an_emptied_folder_is_not_read_again() -> None:
    box, inlet = ScriptedImap({}, uid_next=901), inlet_at(900)
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("IDLE"))
    assert place_of(inlet) == Place(7, 900)


async def test_a_cursor_from_before_there_were_several_folders_is_understood() -> None:
    box, inlet = ScriptedImap({1: mail(1), 2: mail(2)}), MemoryInlet()
    inlet.cursor.place = "7:1:2026-11-01"
    async with box.listening(), receiving(channel(box), inlet):
        await inlet.have(1)
        await until(lambda: box.times("IDLE"))
    assert inlet.numbers() == [2]
    assert place_of(inlet) == Place(7, 2, datetime(2026, 11, 1).date())


@pytest.mark.parametrize("command", ["CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH", "IDLE"])
async def test_one_stuck_mailbox_does_not_delay_another(command: str) -> None:
    stuck, well = ScriptedImap({1: mail(1)}, silent_at=command), ScriptedImap({1: mail(1)})
    waiting, served = MemoryInlet(), MemoryInlet()
    async with (
        stuck.listening(),
        well.listening(),
        receiving(channel(stuck), waiting) as stuck_one,
        receiving(channel(well), served),
    ):
        await served.have(1, timeout_seconds=20)
        await until(lambda: any(command in each for each in stuck.commands))
        well.add(mail(2))
        await served.have(2, timeout_seconds=20)
        assert not stuck_one.done()
    assert len(waiting.items) == (command == "IDLE")


async def test_a_server_without_idle_is_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "POLL_SECONDS", 0.05)
    box, inlet = ScriptedImap({}, capabilities="IMAP4rev1"), MemoryInlet()
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("NOOP") >= 2)
        box.add(mail(1))
        await inlet.have(1)
    assert box.times("IDLE") == 0


async def test_a_server_that_refuses_idle_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "POLL_SECONDS", 0.05)
    box, inlet = ScriptedImap({}, refuse={"IDLE": "not for you"}), MemoryInlet()
    async with box.listening(), receiving(channel(box), inlet):
        await until(lambda: box.times("NOOP") >= 2)
        box.add(mail(1))
        await inlet.have(1)
    assert (box.sessions, box.times("IDLE")) == (1, 1)


async def test_mails_are_marked_as_seen_once_they_are_kept() -> None:
    box, inlet = ScriptedImap({1: mail(1), 2: mail(2)}), MemoryInlet()
    async with box.listening(), receiving(channel(box, after_receiving="seen"), inlet):
        await until(lambda: box.seen == {1, 2})
    assert len(inlet.items) == 2


async def test_nothing_is_moved_that_was_not_kept() -> None:
    box, inlet = ScriptedImap({1: mail(1)}), MemoryInlet()
    inlet.fail_on = b"Question 1"
    async with box.listening():
        with pytest.raises(OSError, match="disk full"):
            await run(box, inlet, after_receiving="move", move_to="Okno")
        assert box.moved == {}
        inlet.fail_on = None
        async with receiving(channel(box, after_receiving="move", move_to="Okno"), inlet):
            await until(lambda: box.moved == {1: "Okno"})
    assert box.folders == {"INBOX", "Okno"}
    assert box.mails == {}


async def test_a_server_that_refuses_to_move_is_told_of_and_loses_nothing() -> None:
    box, inlet = ScriptedImap({1: mail(1)}, refuse={"MOVE": "[OVERQUOTA] full"}), MemoryInlet()
    async with box.listening(), receiving(channel(box, after_receiving="move", move_to="Okno"), inlet):
        await until(lambda: box.times("IDLE"))
    assert len(inlet.items) == 1
    assert inlet.reports[-1] == (0, "INBOX, after receiving: the server refused MOVE: [OVERQUOTA] full")


async def test_a_password_that_is_not_ascii_goes_by_a_mechanism_that_can_carry_it() -> None:
    box, inlet = ScriptedImap({1: mail(1)}), MemoryInlet()
    async with box.listening(), receiving(channel(box, imap_password="пароль"), inlet):
        await inlet.have(1)
    assert box.times("AUTHENTICATE PLAIN") == 1


async def test_an_endless_answer_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_client, "LITERAL_BYTES", 1_000)
    box = ScriptedImap({1: b"x" * 2_000})
    async with box.listening():
        with pytest.raises(imap.ImapError, match="a literal of 2000 bytes"):
            await run(box, MemoryInlet())


@pytest.mark.parametrize(
    ("words", "is_final"),
    [
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", True),
        ("LOGIN failed.", True),
        ("[ALERT] Application-specific password required", True),
        ("[UNAVAILABLE] Temporary authentication failure.", False),
        ("[ALERT] Too many simultaneous connections. (Failure)", False),
        ("[LIMIT] Rate limit hit.", False),
        ("Server busy, please try again later", False),
    ],
)
async def test_a_login_is_refused_for_good_or_for_a_while(words: str, is_final: bool) -> None:
    box = ScriptedImap(refuse={"LOGIN": words})
    async with box.listening():
        with pytest.raises(imap.ImapError) as error:
            await run(box, MemoryInlet())
    assert isinstance(error.value, ReceiverRefused) is is_final
    assert str(error.value) == f"the server refused LOGIN: {words}"


async def test_a_wrong_password_is_tried_once_and_not_once_a_folder() -> None:
    box = ScriptedImap(refuse={"LOGIN": "[AUTHENTICATIONFAILED] no"}, folders={"INBOX", "a", "b"})
    async with box.listening():
        with pytest.raises(ReceiverRefused):
            await run(box, MemoryInlet(), imap_folder="INBOX, a, b")
    assert box.times("LOGIN") == 1


async def test_a_folder_that_is_not_let_in_any_more_is_tried_once_more_and_then_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one is connected since before the password was changed; or the server was in trouble for a moment."""
    monkeypatch.setattr(receive, "LONGEST_PAUSE_SECONDS", 0.01)
    minute, long = receive.REFUSED_PAUSE_SECONDS
    monkeypatch.setattr(receive, "REFUSED_PAUSE_SECONDS", (minute / 1000, long))

    class Refused:
        tries = 0

        async def run(self) -> None:
            self.tries += 1
            raise imap.LoginRefused("wrong password")

    let_in, inlet, reader = asyncio.Event(), MemoryInlet(), Refused()
    keeping = asyncio.create_task(receive._keep("a", reader, Status(inlet), let_in))
    let_in.set()
    await until(lambda: len(inlet.reports) == 2)
    await asyncio.sleep(0.1)
    keeping.cancel()
    assert (reader.tries, minute, inlet.reports[-1]) == (2, 60, (0, "a: wrong password; it is tried again in 15 min"))


async def test_when_the_mailbox_got_a_mail_is_kept_with_it_where_the_server_tells() -> None:
    arrived = {1: "17-Jul-1996 02:44:25 -0700", 2: " 1-Dec-2026 00:00:00 +0300", 3: "31-Feb-2026 00:00:00 +0000"}
    box = ScriptedImap({number: mail(number) for number in range(1, 5)}, arrived=arrived)
    inlet = MemoryInlet()
    async with box.listening(), receiving(channel(box), inlet):
        items = await inlet.have(4)
    told = [{"arrived_at": f"{at}.000000Z"} for at in ("1996-07-17T09:44:25", "2026-11-30T21:00:00")]
    assert [item.context for item in items] == [*told, {}, {}]
