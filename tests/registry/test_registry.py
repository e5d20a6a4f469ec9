"""Channels with their secrets, cursors, leases and health; operators and their tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from shared.clock import now, to_text
from shared.database.open import open_database
from shared.database.protocol import Conflict, Database
from shared.registry.channels import ChannelRegistry, WrongChannel, channel_names
from shared.registry.cursors import DatabaseCursor, give_back_lease, take_lease
from shared.registry.health import Health, health_of_channels, report
from shared.registry.operators import NAME_LIMIT, Operators, WrongOperator, first_setup_token
from shared.registry.passwords import hash_password, is_password
from shared.registry.secrets import SecretBox, WrongKey
from tests.examples import AT, FORM, MAILBOX
from tests.stores import create_all_tables

KEY = b"k" * 32
SETTINGS = {
    "address": "support@okno.example",
    "imap_host": "imap.okno.example",
    "imap_password": "tops3cret-имап",
    "smtp_host": "smtp.okno.example",
    "smtp_password": "smtp-s3cret",
}


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_database(any_url)
    create_all_tables(opened)
    yield opened
    await opened.close()


@pytest.fixture
def registry(database: Database) -> ChannelRegistry:
    return ChannelRegistry(database, KEY)


async def test_a_channel_is_kept_with_defaults_and_found_by_id_and_name(registry: ChannelRegistry) -> None:
    channel = await registry.add("email", "Support", SETTINGS)
    by_id, by_name = await registry.find(str(channel.id)), await registry.find("Support")
    assert by_id == by_name
    assert by_id.channel == channel
    assert (by_id.state, {**channel.settings, **SETTINGS}) == ("active", channel.settings)
    assert await registry.all() == [by_id]


async def test_secrets_do_not_stand_readable_in_the_database(database: Database, registry: ChannelRegistry) -> None:
    await registry.add("email", "Support", SETTINGS)
    row = await database.read(lambda tx: tx.row("SELECT settings, secrets FROM channels"))
    assert row is not None
    assert "imap.okno.example" in row[0]
    assert "s3cret" not in "".join(row)


async def test_another_key_is_told_to_be_wrong(database: Database, registry: ChannelRegistry) -> None:
    await registry.add("email", "Support", SETTINGS)
    with pytest.raises(WrongKey, match="OKNO_SECRET_KEY"):
        await ChannelRegistry(database, b"x" * 32).all()


async def test_a_channel_keeps_its_bot_whatever_token_that_has(registry: ChannelRegistry) -> None:
    """Another bot begins its chats and messages at the same numbers: they would be taken for old ones."""
    token, renewed, another = (
        f"{bot}:{letter * 35}" for bot, letter in ((1234567, "A"), (1234567, "B"), (7654321, "C"))
    )
    bot = await registry.add("telegram", "Bot", {"token": token})
    with pytest.raises(WrongChannel, match="another account"):
        await registry.change(bot, {"token": another})
    assert (await registry.change(bot, {"token": renewed})).settings["token"] == renewed


async def test_of_two_channels_of_one_bot_at_once_one_is_added(registry: ChannelRegistry) -> None:
    settings = {"token": f"123456789:{'A' * 35}"}
    added = await asyncio.gather(
        *(registry.add("telegram", f"Bot {n}", settings) for n in range(4)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in added) == ["Channel", *["WrongChannel"] * 3]


async def test_a_name_is_taken_until_its_channel_is_removed(database: Database, registry: ChannelRegistry) -> None:
    first = await registry.add("email", "Support", SETTINGS)
    with pytest.raises(Conflict):
        await registry.add("email", "Support", SETTINGS)
    await registry.set_state(first.id, "removed")
    second = await registry.add("email", "Support", SETTINGS)
    assert [found.channel.id for found in await registry.all()] == [second.id]
    assert set(await database.read(channel_names)) == {str(first.id), str(second.id)}


@pytest.mark.parametrize("name", ["", " \t", "Форма\n2", " Форма", "x" * 101, "0a2efaaa-b4ce-4626-91c5-d74b87e9b885"])
async def test_a_name_is_one_that_can_be_seen_and_typed_and_is_no_id(registry: ChannelRegistry, name: str) -> None:
    with pytest.raises(WrongChannel, match="name"):
        await registry.add("email", name, SETTINGS)
    assert await registry.all() == []


async def test_a_bot_is_one_channel_s(registry: ChannelRegistry) -> None:
    token, other = f"123456789:{'A' * 35}", f"123456789:{'B' * 35}"
    bot = await registry.add("telegram", "Bot", {"token": token})
    with pytest.raises(WrongChannel, match="the channel 'Bot' has this token already"):
        await registry.add("telegram", "Again", {"token": token})
    second = await registry.add("telegram", "Second", {"token": other})
    with pytest.raises(WrongChannel, match="'Bot' has this token"):
        await registry.change(second, {"token": token})
    assert (await registry.change(bot, {"token": token, "mode": "webhook"})).settings["mode"] == "webhook"
    await registry.set_state(bot.id, "removed")
    await registry.add("telegram", "Again", {"token": token})
    for name in ("Support", "Sales"):
        await registry.add("email", name, SETTINGS)


async def test_every_problem_of_the_settings_is_told(registry: ChannelRegistry) -> None:
    with pytest.raises(WrongChannel, match=r"unknown setting x; .*imap_security must be one of"):
        await registry.add("email", "Support", {**SETTINGS, "x": "1", "imap_security": "maybe"})
    with pytest.raises(WrongChannel, match="no channel kind 'fax'"):
        await registry.add("fax", "Fax", {})
    with pytest.raises(WrongChannel, match="no channel 'nothing'"):
        await registry.find("nothing")
    assert await registry.all() == []


async def test_a_change_of_channels_wakes_who_listens(registry: ChannelRegistry) -> None:
    listener = registry.listen()
    while await listener.wait(0.2):
        """What was told before."""
    channel = await registry.add("email", "Support", SETTINGS)
    assert await listener.wait(5)
    await registry.set_state(channel.id, "paused")
    assert await listener.wait(5)
    assert (await registry.find("Support")).state == "paused"


async def test_changed_settings_are_added_to_those_that_are_kept_by_now(registry: ChannelRegistry) -> None:
    as_read = await registry.add("email", "Support", SETTINGS)
    await registry.change(as_read, {"imap_host": "other.okno.example"})
    changed = await registry.change(as_read, {"imap_password": "new-s3cret"})
    expected = {**as_read.settings, "imap_host": "other.okno.example", "imap_password": "new-s3cret"}
    assert changed.settings == expected
    assert (await registry.find("Support")).channel == changed


async def test_both_of_two_changes_at_once_stay(registry: ChannelRegistry) -> None:
    as_read = await registry.add("email", "Support", SETTINGS)
    changes = [{"imap_host": "a.example"}, {"smtp_host": "b.example"}, {"imap_password": "c"}, {"smtp_password": "d"}]
    await asyncio.gather(*[registry.change(as_read, change) for change in changes])
    settings = (await registry.find("Support")).channel.settings
    assert settings == {**as_read.settings, **{name: value for each in changes for name, value in each.items()}}


async def test_a_change_that_is_wrong_changes_nothing(registry: ChannelRegistry) -> None:
    channel = await registry.add("email", "Support", SETTINGS)
    with pytest.raises(WrongChannel, match="imap_security must be one of"):
        await registry.change(channel, {"imap_security": "maybe", "imap_host": "other.okno.example"})
    with pytest.raises(WrongChannel, match="no channel"):
        await registry.change(replace(channel, id=FORM), {"imap_host": "other.okno.example"})
    assert (await registry.find("Support")).channel == channel


async def test_a_cursor_remembers_its_place(database: Database) -> None:
    cursor = DatabaseCursor(database, MAILBOX)
    assert await cursor.load() is None
    await cursor.save("1.5")
    await cursor.save("1.7")
    assert (await cursor.load(), await DatabaseCursor(database, FORM).load()) == ("1.7", None)


async def test_a_lease_is_one_process_s_until_it_is_given_back_or_runs_out(database: Database) -> None:
    assert await take_lease(database, MAILBOX, "a")
    assert await take_lease(database, MAILBOX, "a")
    assert not await take_lease(database, MAILBOX, "b")
    assert await take_lease(database, FORM, "b")
    await give_back_lease(database, MAILBOX, "b")
    assert not await take_lease(database, MAILBOX, "b")
    await give_back_lease(database, MAILBOX, "a")
    assert await take_lease(database, MAILBOX, "b")
    past = to_text(now() - timedelta(seconds=1))
    await database.write(lambda tx: tx.run("UPDATE channel_leases SET until = ?", (past,)))
    taken = await asyncio.gather(*(take_lease(database, MAILBOX, name) for name in "cdef"))
    assert sorted(taken) == [False, False, False, True]


async def test_health_is_what_receiver_and_sender_said_last(database: Database) -> None:
    await report(database, MAILBOX, "receive", "", 4, AT)
    await report(database, MAILBOX, "receive", "login refused", None, None)
    await report(database, MAILBOX, "send", "no route", None, None)
    healths = await database.read(health_of_channels)
    assert healths == {str(MAILBOX): Health("login refused; no route", 4, to_text(AT))}
    await report(database, MAILBOX, "receive", "", 0, None)
    assert (await database.read(health_of_channels))[str(MAILBOX)] == Health("no route", 0, to_text(AT))


# --- operators --------------------------------------------------------------------------------------------


@pytest.fixture
def operators(database: Database) -> Operators:
    return Operators(database)


async def test_an_address_is_one_operator_s(operators: Operators) -> None:
    olga = await operators.add(" Olga@okno.example ", "admin")
    assert (olga.email, olga.role) == ("olga@okno.example", "admin")
    with pytest.raises(WrongOperator, match="is an operator already"):
        await operators.add("olga@okno.example", "operator")
    for email, role in (("no address", "operator"), ("a@b", "boss")):
        with pytest.raises(WrongOperator, match="needs an e-mail address"):
            await operators.add(email, role)  # type: ignore[arg-type]
    assert await operators.find("OLGA@okno.example") == olga
    with pytest.raises(WrongOperator, match="no operator"):
        await operators.find("ben@okno.example")


async def test_the_name_of_an_operator_is_the_address_before_the_at(operators: Operators) -> None:
    assert (await operators.add(" Olga@okno.example ", "admin")).name == "Olga"


async def test_an_operator_without_a_password_cannot_sign_in(operators: Operators) -> None:
    await operators.add("olga@okno.example", "operator")
    assert await operators.sign_in("olga@okno.example", "") is None
    assert await operators.sign_in("nobody@okno.example", "x") is None


async def test_a_token_is_known_until_it_is_revoked_or_expires(database: Database, operators: Operators) -> None:
    olga = await operators.add("olga@okno.example", "operator")
    token, other = [await operators.create_token(olga.id, "session") for _ in range(2)]
    assert await operators.of_token(token, ("session",)) == olga
    assert await operators.of_token(token, ("api", "setup")) is None
    await operators.revoke(token)
    assert await operators.of_token(token, ("session",)) is None
    assert await operators.of_token(other, ("session",)) == olga
    await database.write(lambda tx: tx.run("UPDATE operator_tokens SET expires_at = ?", (to_text(now()),)))
    assert await operators.of_token(other, ("session",)) is None
    stored = await database.read(lambda tx: tx.rows("SELECT hash FROM operator_tokens"))
    assert token not in str(stored)


async def test_a_setup_link_used_twice_at_once_works_once(operators: Operators) -> None:
    olga = await operators.add("olga@okno.example", "operator")
    link = await operators.create_token(olga.id, "setup")
    uses = [operators.set_up(link, "olga@okno.example", "Olga", f"password {n}") for n in range(3)]
    outcomes = await asyncio.gather(*uses, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Operator", "WrongOperator", "WrongOperator"]
    assert await operators.of_token(link, ("setup",)) is None


async def test_a_newer_link_ends_the_one_before_and_nobody_elses(operators: Operators) -> None:
    olga, ben = [await operators.add(f"{name}@okno.example", "operator") for name in ("olga", "ben")]
    other, token = await operators.create_token(ben.id, "setup"), await operators.create_token(olga.id, "api")
    lost, link = [await operators.create_token(olga.id, "setup") for _ in range(2)]
    with pytest.raises(WrongOperator, match="ask for a new one"):
        await operators.set_up(lost, olga.email, "", "a stranger's")
    assert await operators.of_token(token, ("api",)) == olga
    await operators.set_up(link, olga.email, "", "password")
    assert await operators.of_token(other, ("setup",)) == ben


async def test_a_name_has_its_limit_wherever_it_is_given(operators: Operators) -> None:
    long = "x" * (NAME_LIMIT + 1)
    with pytest.raises(WrongOperator, match="a name has up to 100 characters"):
        await operators.add("olga@okno.example", "operator", long)
    olga = await operators.add(f"{long}@okno.example", "operator", f" {long[1:]} ")
    assert olga.name == long[1:]
    assert (await operators.add(f"{long}@okno.example.org", "operator")).name == long[1:]
    link = await operators.create_token(olga.id, "setup")
    with pytest.raises(WrongOperator, match="a name has up to 100 characters"):
        await operators.set_up(link, olga.email, long, "password")
    assert (await operators.set_up(link, olga.email, "Olga", "password")).name == "Olga"


async def test_a_setup_link_is_not_used_up_by_an_address_that_is_taken(operators: Operators) -> None:
    await operators.add("ben@okno.example", "operator")
    olga = await operators.add("olga@okno.example", "operator")
    link = await operators.create_token(olga.id, "setup")
    with pytest.raises(WrongOperator, match="already"):
        await operators.set_up(link, "ben@okno.example", "Olga", "password")
    assert (await operators.set_up(link, "olga@okno.example", "", "password")).name == "olga"
    assert await operators.sign_in("olga@okno.example", "password") == await operators.find("olga@okno.example")


async def test_the_first_link_is_new_at_each_start_until_somebody_has_a_password(
    database: Database, operators: Operators
) -> None:
    first, second = await first_setup_token(database), await first_setup_token(database)
    assert first is not None
    assert second is not None
    with pytest.raises(WrongOperator):
        await operators.set_up(first, "boss@okno.example", "Boss", "password")
    boss = await operators.set_up(second, "boss@okno.example", "Boss", "password")
    assert (boss.role, await first_setup_token(database)) == ("admin", None)


async def test_several_processes_that_start_at_once_get_along(database: Database) -> None:
    tokens = await asyncio.gather(*(first_setup_token(database) for _ in range(4)))
    assert all(tokens)


def test_passwords_are_salted_and_compared() -> None:
    stored = hash_password("пароль")
    assert stored != hash_password("пароль")
    assert is_password("пароль", stored)
    assert not is_password("Пароль", stored)
    assert not is_password("", "")


def test_secrets_of_another_box_are_not_opened() -> None:
    box = SecretBox(KEY)
    sealed = box.seal({"a": "б"})
    assert (box.open(sealed), "б" in sealed) == ({"a": "б"}, False)
    with pytest.raises(WrongKey):
        SecretBox(b"y" * 32).open(sealed)
    with pytest.raises(WrongKey):
        box.open("nonsense")
