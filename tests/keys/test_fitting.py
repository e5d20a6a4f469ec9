"""A log is opened with the key store it was sealed with, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.doctor import look_over
from services.house import House, open_house
from services.projector import inbound as intake
from services.projector.intake import Intake, IntakeLoop
from shared.contracts import topics
from shared.contracts.codec import Contract
from shared.database.protocol import Transaction
from shared.event_store.log import read_log
from shared.event_store.session import Session
from shared.keys.pages import WrongKeyStore
from tests.examples import inbound, outgoing
from tests.privacy.town import settings_of
from tests.services.projector.running import running, until_recorded


@pytest.fixture
def url(any_url: str, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'okno.db'}" if any_url.startswith("sqlite") else any_url


async def write(folder: Path, url: str, text: str) -> None:
    """Start, take a message in, and stop."""
    house = open_house(settings_of(folder, url))
    await receive(house, text)
    await house.close()


async def receive(house: House, text: str) -> None:
    await house.store.record(lambda session, tx: intake.receive(session, tx, [inbound(text)]))


@pytest.mark.parametrize("put_back", ["none", "older"])
async def test_a_log_is_not_opened_with_another_key_store_and_again_with_its_own(
    url: str, tmp_path: Path, put_back: str
) -> None:
    folder, kept = tmp_path / "data", tmp_path / "kept.db"
    keys = folder / "keys.db"
    await write(folder, url, "first")
    older = shutil.copy(keys, tmp_path / "older.db")
    await write(folder, url, "second")
    keys.rename(kept)
    if put_back == "older":
        shutil.copy(older, keys)
    with pytest.raises(WrongKeyStore, match=r"lacks [12] pages .*put the key store of this database in its place"):
        open_house(settings_of(folder, url))
    assert [path.name for path in folder.glob("keys.db-*")] == []
    shutil.copy(kept, keys)
    await write(folder, url, "third")


async def test_a_page_missing_in_between_is_told_by_the_doctor(url: str, tmp_path: Path) -> None:
    house = open_house(settings_of(tmp_path / "data", url))
    await receive(house, "first")
    before = [finding async for finding in look_over(house) if finding.check == "keys"]
    with house.keys.database.writing() as tx:
        tx.run("DELETE FROM key_pages")
    after = [finding async for finding in look_over(house) if finding.check == "keys"]
    await house.close()
    assert [each.state for each in (*before, *after)] == ["ok", "wrong", "wrong", "wrong"]
    assert after[0].found.startswith("1 of 1 pages of keys are missing or damaged, put the key store")


async def test_mail_waits_while_its_keys_are_away_and_is_not_quarantined(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.projector.intake.OUTAGE_DELAYS", (0.05,))
    house = open_house(settings_of(tmp_path / "data", url))
    transport = house.transport()
    await transport.start()
    tries: list[int] = []

    def handle(session: Session, tx: Transaction, contracts: Sequence[Contract]) -> None:
        tries.append(len(contracts))
        if len(tries) < 7:
            raise WrongKeyStore("the key store lacks 1 pages")
        intake.receive(session, tx, contracts)

    waiting = Intake(topics.INBOUND, "projector", handle, intake.give_up)
    async with running(IntakeLoop(house.store, transport, waiting).run()):
        await transport.publisher().publish(topics.INBOUND, outgoing(inbound("hello")))
        await until_recorded(house.database, 3)
    log = await house.database.read(lambda tx: read_log(tx, 0, 100))
    await transport.close()
    await house.close()
    assert [type(recorded.event).__name__ for recorded in log] == [
        "CustomerRegistered",
        "ConversationOpened",
        "MessageReceived",
    ]
