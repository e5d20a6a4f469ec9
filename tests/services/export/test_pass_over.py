"""An export may leave out what cannot be read: it names it, and everything else is there."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest

from services.export.files import JsonLines
from services.export.parquet import Parquet
from services.export.write import write_events
from services.house import House
from services.inbox_api.selection import Selection
from shared.database.protocol import Database
from shared.event_store.mapper import EventUnreadable
from shared.event_store.store import EventStore
from shared.keys.place import Place
from tests.examples import inbound as item_of
from tests.services.command_line import Cli
from tests.services.command_line import okno as okno
from tests.services.export.test_apart import place as place
from tests.services.export.test_files import fill

SPOILT = 7


async def spoil(database: Database, position: int) -> None:
    column = "rowid" if database.dialect == "sqlite" else "notification_id"
    sql = f"UPDATE stored_events SET state = ? WHERE {column} = ?"
    await database.write(lambda tx: tx.run(sql, (b'{"recorded_at":', position)))


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
    assert written.events == len(positions)
    return positions, list(written.left_out)


async def _spoil_the_third(house: House) -> None:
    await spoil(house.database, 3)


def test_the_command_names_what_it_left_out_and_ends_with_1(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of("Hello"))
    okno.in_house(_spoil_the_third)
    out = ("events", "export", "--out", str(tmp_path / "e.jsonl"))
    assert "position 3" in okno.wrong(*out, status=3)
    told = okno.json(*out, "--pass-over", status=1)
    assert (told["events"], ["the event at position 3 " in each for each in told["left_out"]]) == (2, [True])
