"""An export may leave out what cannot be read: it names it, and everything else is there."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from services.export.files import JsonLines
from services.export.parquet import Parquet
from services.export.write import write_events
from services.house import House
from services.inbox_api.selection import Selection
from shared.database.protocol import Database
from shared.event_store.log import read_log, read_stored
from shared.event_store.mapper import EventUnreadable, key_of
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.keys.place import Place
from shared.keys.ring import KEY_ID_BYTES
from tests.examples import inbound as item_of
from tests.read_models.test_read_models import long_history, record
from tests.services.command_line import Cli
from tests.services.command_line import okno as okno
from tests.services.export.test_apart import place as place
from tests.services.export.test_files import fill

SPOILT = 7


async def spoil(database: Database, position: int, state: bytes = b'{"recorded_at":') -> None:
    column = "rowid" if database.dialect == "sqlite" else "notification_id"
    sql = f"UPDATE stored_events SET state = ? WHERE {column} = ?"
    await database.write(lambda tx: tx.run(sql, (state, position)))


@pytest.mark.parametrize("byte", [3, KEY_ID_BYTES])
@pytest.mark.parametrize("children", [False, True])
async def test_one_that_names_a_key_that_is_not_there_is_left_out_too(
    database: Database, store: EventStore, place: Place, children: bool, byte: int
) -> None:
    await record(store, long_history(20))
    sealed = [each for each in await database.read(lambda tx: read_stored(tx, 0, 1000)) if key_of(each.state)]
    spoilt = sealed[len(sealed) // 2]
    await spoil(database, spoilt.position, spoilt.state[:byte] + b"\xfe" + spoilt.state[byte + 1 :])
    with pytest.raises(WrongKeyStore):
        await _exported(database, place if children else None, "jsonl", Selection())
    found = await _exported(database, place if children else None, "jsonl", Selection(pass_over=True))
    assert spoilt.position not in found[0]
    assert [f"at position {spoilt.position} " in each for each in found[1]] == [True]


@pytest.mark.parametrize("children", [False, True])
async def test_what_was_not_recorded_in_the_wanted_time_is_not_missed(
    database: Database, store: EventStore, place: Place, children: bool
) -> None:
    await record(store, long_history(20))
    stored = await database.read(lambda tx: read_stored(tx, 0, 1000))
    last = (await database.read(lambda tx: read_log(tx, stored[-2].position, 1)))[0].recorded_at
    spoilt = next(each for each in stored if key_of(each.state))
    await spoil(database, spoilt.position, spoilt.state[:-1] + bytes([spoilt.state[-1] ^ 1]))
    wanted = Selection(since=last + timedelta(seconds=1), pass_over=True)
    assert await _exported(database, place if children else None, "jsonl", wanted) == ([], [])


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("children", [False, True])
async def test_all_but_what_cannot_be_read_is_written(
    database: Database, store: EventStore, place: Place, form: str, children: bool
) -> None:
    await fill(store)
    whole = await _exported(database, place if children else None, form, Selection())
    await spoil(database, SPOILT)
    with pytest.raises(EventUnreadable):
        await _exported(database, place if children else None, form, Selection())
    found = await _exported(database, place if children else None, form, Selection(pass_over=True))
    assert [position for position in whole[0] if position != SPOILT] == found[0]
    assert [f"at position {SPOILT} " in each for each in found[1]] == [True]


async def _exported(
    database: Database, place: Place | None, form: str, wanted: Selection
) -> tuple[list[int], list[str]]:
    out = BytesIO()
    file = Parquet(out) if form == "parquet" else JsonLines(out, compressed=False)
    written = await write_events(database, wanted, file, lambda done, total: None, place)
    if form == "jsonl":
        positions = [json.loads(line)["position"] for line in out.getvalue().splitlines()]
    else:
        import pyarrow.parquet

        positions = pyarrow.parquet.read_table(out)["position"].to_pylist()
    assert (written.events, written.left_out) == (len(positions), len(written.named))
    return positions, list(written.named)


async def _spoil_the_third(house: House) -> None:
    await spoil(house.database, 3)


def test_the_command_names_what_it_left_out_and_ends_with_1(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of("Hello"))
    okno.in_house(_spoil_the_third)
    out = ("events", "export", "--out", str(tmp_path / "e.jsonl"))
    refused = okno.wrong(*out, status=3)
    assert ("position 3" in refused, "--pass-over" in refused) == (True, True)
    told = okno.json(*out, "--pass-over", status=1)
    assert (told["events"], told["left_out"]) == (2, 1)
    assert ["the event at position 3 " in each for each in told["named"]] == [True]
