"""What `okno doctor` finds, and that it finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from services import doctor
from services.doctor import Finding, look_over
from services.house import House, open_house
from services.projector import inbound as intake
from shared.database.protocol import DatabaseUnavailable
from shared.registry.health import report
from shared.registry.operators import Operators
from shared.settings import read_settings
from tests.examples import AT, unreadable
from tests.read_models.contents import show


@pytest_asyncio.fixture
async def house(any_url: str, tmp_path: Path) -> AsyncIterator[House]:
    house = open_house(read_settings({"OKNO_DATABASE_URL": any_url}, tmp_path))
    yield house
    await house.close()


async def findings(house: House) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    async for finding in look_over(house):
        found.setdefault(finding.check, []).append(finding)
    return found


async def add_form(house: House) -> UUID:
    return (await house.registry.add("web_form", "Site", {"rate_limit": "0"})).id


async def test_a_sound_installation_is_found_so(house: House) -> None:
    house = replace(house, settings=replace(house.settings, public_url="https://okno.example"))
    await Operators(house.database).add("anna@okno.example", "admin")
    await add_form(house)
    found = await findings(house)
    assert {finding.state for each in found.values() for finding in each} == {"ok"}
    assert [finding.found for finding in found["channels"]] == ["Site (web_form): works"]
    assert list(found) == [
        "data folder", "blobs", "secret key", "database", "keys", "transport", "keys on the way", "read models", "log",
        "channels", "quarantine", "replies", "operators",
    ]  # fmt: skip


async def test_what_is_wrong_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    channel_id = await add_form(house)
    await report(house.database, channel_id, "receive", "login refused", 4, AT)
    await house.store.record(lambda session, tx: intake.receive(session, tx, [unreadable(b"raw")]))
    await show(house.database)
    (house.settings.data / "secret.key").chmod(0o644)
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    found = await findings(house)
    states = {check: [finding.state for finding in each] for check, each in found.items()}
    assert states == {
        "data folder": ["wrong"], "blobs": ["wrong"], "secret key": ["warning"], "database": ["ok"], "keys": ["ok"],
        "transport": ["ok"], "keys on the way": ["ok"], "read models": ["ok"], "log": ["ok"],
        "channels": ["wrong", "warning"], "quarantine": ["warning"], "replies": ["ok"], "operators": ["warning"],
    }  # fmt: skip
    assert found["channels"][0].found == "Site (web_form): login refused, 4 not fetched yet"


async def test_a_log_that_was_cut_off_is_told(house: House) -> None:
    await house.store.record(lambda session, tx: intake.receive(session, tx, [unreadable(b"raw")]))
    await show(house.database)
    await house.database.write(lambda tx: tx.run("DELETE FROM stored_events"))
    assert [(each.state, each.found) for each in (await findings(house))["read models"]] == [
        ("wrong", "1 events beyond the end of the log, which was cut off: see `okno audit --verify`")
    ]


async def test_a_database_that_goes_away_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: House) -> doctor.Found:
        raise DatabaseUnavailable("gone")

    house = open_house(read_settings({}, tmp_path))
    monkeypatch.setitem(doctor.CHECKS, "database", away)
    found = await findings(house)
    await house.close()
    assert found["database"] == [Finding("database", "wrong", "DatabaseUnavailable: gone")]
    assert found["quarantine"][0].state == "ok"


async def test_databases_that_others_can_read_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    house = open_house(read_settings({}, folder))
    assert "files" not in await findings(house)
    keys = folder / "keys.db"
    keys.chmod(0o644)
    assert "files" not in await findings(house)  # nobody else comes so far
    folder.chmod(0o755)
    found = (await findings(house))["files"]
    await house.close()
    assert found == [Finding("files", "warning", f"others can read {keys}: chmod 600 {keys}")]


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    house = open_house(read_settings({}, tmp_path))
    for number in range(200):
        await Operators(house.database).add(f"{number}@okno.example", "operator")
    await house.close()
    file = tmp_path / "okno.db"
    data = bytearray(file.read_bytes())
    data[-4096:-4088] = b"\xff" * 8  # the header of a page of the table that was written last
    file.write_bytes(bytes(data))
    house = open_house(read_settings({}, tmp_path))
    found = await findings(house)
    await house.close()
    assert found["database"][0].state == "wrong"
