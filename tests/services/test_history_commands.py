"""Commands over the log: timeline, rethread, rebuild, replay."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import signal
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services import cli, terminal
from services.house import House
from shared.clock import to_text
from shared.contracts.inbound import Address
from tests.examples import AT, Clock
from tests.examples import inbound as item_of
from tests.peers.okno import OknoProcess
from tests.services.command_line import Cli
from tests.services.export.test_pass_over import spoil


def test_what_cannot_be_read_stops_rethread_until_it_is_told_to_pass_over_it(okno: Cli) -> None:
    okno.receive(item_of("first"), item_of("second"))
    okno.in_house(lambda house: spoil(house.database, 3))
    refused = okno.wrong("rethread", "--dry-run", status=3)
    assert ("at position 3 (MessageReceived)" in refused, "--pass-over" in refused) == (True, True)
    told = okno.json("rethread", "--dry-run", "--pass-over", status=1)
    assert (told["messages"], ["at position 3 " in each for each in told["left_out"]]) == (1, [True])


def test_a_timeline_now_and_then_by_address_and_by_id(okno: Cli) -> None:
    clock = Clock(AT)
    okno.receive(item_of("first\x1b[2J"), at=clock)
    clock.forward(60)
    *_, last = okno.receive(item_of("second"), at=clock)
    whole = okno.json("timeline", "anna@example.com")
    assert [entry["text"] for entry in whole["items"]] == ["first\x1b[2J", "second"]
    assert okno.json("timeline", str(last.event.customer_id)) == whole
    assert okno.json("timeline", "Anna@Example.com") == whole
    for as_of in (to_text(AT + timedelta(seconds=1)), "2026-11-21 12:00:30", "2026-11-21T15:00:30+03:00"):
        past = okno.json("timeline", "anna@example.com", "--as-of", as_of)
        assert [entry["text"] for entry in past["items"]] == ["first\x1b[2J"]
    then = ("--as-of", to_text(AT + timedelta(seconds=1)), "--by", "happened")
    happened = okno.json("timeline", "anna@example.com", *then)
    assert [entry["text"] for entry in happened["items"]] == ["first\x1b[2J", "second"]
    head, *lines = okno("timeline", "anna@example.com").splitlines()
    assert head.split() == ["recorded_at", "kind", "direction", "channel", "author", "delivery", "text"]
    assert [line.split()[-1] for line in lines] == ["[2J", "second"]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("spelling", ["Anna@ПРИМЕР.рф", "anna@xn--e1afmkfd.xn--p1ai"])
def test_a_customer_is_named_by_any_spelling_of_their_address(okno: Cli, spelling: str) -> None:
    okno.receive(item_of("first", sender="anna@пример.рф"))
    assert [entry["text"] for entry in okno.json("timeline", spelling)["items"]] == ["first"]


def test_a_number_is_found_as_it_is_dialled_where_a_channel_is(okno: Cli) -> None:
    okno.receive(replace(item_of("rang"), sender=Address("phone", "+79125551064", "Anna")))
    okno.wrong("timeline", "8 (912) 555-10-64")
    okno("channels", "add", "web_form", "Site", "--set", "country=RU")
    for spelling in ("8 (912) 555-10-64", "89125551064", "912 555-10-64", "+7 912 555 10 64"):
        assert [entry["text"] for entry in okno.json("timeline", spelling)["items"]] == ["rang"]
    assert okno.wrong("timeline", "8 (912) 555-10-65") == "no customer '8 (912) 555-10-65'"


def test_a_merge_says_who_is_one_with_whom_and_who_did_it(okno: Cli) -> None:
    ids = []
    for name in ("Anna", "Dora"):
        *_, last = okno.receive(item_of(sender=f"{name.lower()}@example.com", name=name))
        ids.append(str(last.event.customer_id))
    okno("identities", "merge", ids[1], ids[0])
    *_, line = okno("timeline", ids[0]).splitlines()
    assert " merged " in line
    assert line.endswith("Dora <dora@example.com> is one with Anna <anna@example.com>")
    assert f"  command line ({getpass.getuser()})  " in line


def test_a_timeline_that_cannot_be_shown_says_why(okno: Cli) -> None:
    okno.receive(item_of())
    assert okno.wrong("timeline", "nobody@example.com") == "no customer 'nobody@example.com'"
    assert "no customer" in okno.wrong("timeline", str(uuid4()))
    assert "2026-11-21T14:05:00Z" in okno.wrong("timeline", "anna@example.com", "--as-of", "yesterday")


def test_history_is_shown_by_todays_rules(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    assert okno.json("rethread", "--dry-run") == {"items": [], "next": None, "messages": 2, "left_out": []}
    with pytest.raises(SystemExit):
        okno("rethread")


def test_read_models_are_rebuilt_and_compared(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    rows = {row["table"]: row for row in okno.json("rebuild")["items"]}
    none = {"only_live": 0, "only_rebuilt": 0, "changed": 0, "incomparable": None}
    assert rows["timeline"] == {"table": "timeline", "rows": 2, "equal": True, **none}
    okno.in_house(lambda house: house.database.write(lambda tx: tx.run("DELETE FROM timeline")))
    (row, *_) = okno.json("rebuild", "timeline", "--check", status=1)["items"]
    assert (row["equal"], row["only_live"], row["only_rebuilt"]) == (False, 0, 2)
    okno("rebuild", "timeline", status=1)
    assert okno.json("rebuild", "--check")["items"][-1]["equal"]
    assert "no read model nothing" in okno.wrong("rebuild", "nothing")


def test_a_check_names_what_differs(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    okno.in_house(lambda house: house.database.write(lambda tx: tx.run("UPDATE customers SET name = 'Olga'")))
    answer = okno.json("rebuild", "customers", "--check", status=1)
    (difference,) = answer["differences"]
    assert (difference["table"], difference["what"], difference["column"]) == ("customers", "changed", "name")
    assert (difference["live"], difference["rebuilt"]) == ("Olga", "Anna")
    (customer,) = okno.in_house(lambda house: house.database.read(lambda tx: tx.rows("SELECT id FROM customers")))
    assert difference["key"] == {"id": customer[0]}
    printed = okno("rebuild", "--check", status=1).splitlines()
    assert printed[-2].split() == ["table", "key", "what", "column", "live", "rebuilt"]
    assert printed[-1].split() == ["customers", "id", customer[0], "changed", "name", "Olga", "Anna"]
    assert okno.json("rebuild", "--check", "--show", "0", status=1)["differences"] == []
    assert "--show wants a number" in okno.wrong("rebuild", "--show", "-1")


def test_a_second_rebuild_is_told_that_another_runs(okno: Cli) -> None:
    async def meanwhile(house: House) -> None:
        async with house.database.sole("rebuild"):
            said = await asyncio.to_thread(okno.wrong, "rebuild")
            assert said == "another process is rebuilding read models: wait for its end"

    okno.in_house(meanwhile)
    assert okno.json("rebuild", "--drop")["items"] == []


def test_a_rebuild_says_in_json_lines_how_far_it_is_and_nothing_to_a_file(okno: Cli) -> None:
    okno.receive(item_of())
    assert cli.main(["rebuild", "--json", "--data", str(okno.data)]) == 0
    lines = [json.loads(line) for line in okno.capture.readouterr().err.splitlines()]
    first = {name: lines[0][name] for name in ("step", "done", "total")}
    assert (first, lines[-1]["step"]) == ({"step": "events", "done": 3, "total": 3}, "dropping")
    assert cli.main(["rebuild", "--data", str(okno.data)]) == 0
    assert okno.capture.readouterr().err == ""


def test_an_empty_log_is_rebuilt_too(okno: Cli) -> None:
    okno("channels", "list")
    assert all(row["equal"] for row in okno.json("rebuild")["items"])


FUNNEL = f"{Path(__file__).parents[2] / 'deploy' / 'projections' / 'funnel.py'}:Funnel"


def test_a_projection_of_ones_own_is_run_shown_and_written(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of(), item_of())
    funnel = {"channel": "email", "opened": 2, "answered": 0, "within_the_hour": 0, "closed": 0}
    for more in ([], ["--restart"]):
        assert okno.json("replay", FUNNEL, *more)["items"] == [funnel]
    assert okno("replay", FUNNEL).splitlines()[0].split() == list(funnel)
    query = "SELECT '=1+1' AS formula, channel, count(*) AS n FROM funnel"
    for kind, expected in (
        ("csv", "formula,channel,n\r\n'=1+1,email,2\r\n"),
        ("json", '[\n  {\n    "formula": "=1+1",\n    "channel": "email",\n    "n": 2\n  }\n]\n'),
    ):
        file = tmp_path / f"answer.{kind}"
        assert okno("replay", FUNNEL, "--query", query, "--out", str(file)) == f"1 rows in {file}\n"
        assert file.read_bytes().decode() == expected
    with closing(sqlite3.connect(okno.data / "replay" / "funnel.db")) as file_of_its_own:
        assert file_of_its_own.execute("SELECT count(*) FROM funnel").fetchone() == (2,)


def test_who_has_a_number_and_no_name_can_give_commands_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert terminal.person() == f"command line (user {os.getuid()})"


def test_tables_that_begin_later_than_history_go_on_and_say_so(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of())
    later, file = "2999-01-01T00:00:00.000000Z", tmp_path / "answer.csv"
    assert okno.json("replay", FUNNEL)["since"] is None
    assert "begin" not in okno("replay", FUNNEL)
    assert okno.json("replay", FUNNEL, "--since", later, "--restart") == {"items": [], "next": None, "since": later}
    assert "begin" not in okno("replay", FUNNEL, "--since", later)
    line = f"the tables of funnel begin at {later}: --restart makes them of the whole history"
    assert okno("replay", FUNNEL).splitlines()[0] == line
    assert okno("replay", FUNNEL, "--out", str(file)).splitlines() == [line, f"0 rows in {file}"]
    assert okno.json("replay", FUNNEL, "--out", str(file)) == {"rows": 0, "file": str(file), "since": later}
    assert len(okno.json("replay", FUNNEL, "--restart")["items"]) == 1


def test_a_projection_that_follows_takes_in_what_comes_until_it_is_ended(okno: Cli) -> None:
    okno.receive(item_of())
    tables = okno.data / "replay" / "funnel.db"
    with OknoProcess(["replay", FUNNEL, "--follow", "--data", str(okno.data)], {}) as following:
        following.process.wait_until(lambda: _opened(tables) == 1)
        okno.receive(item_of("again", "boris@example.com"))
        following.process.wait_until(lambda: _opened(tables) == 2)
        os.kill(following.process.pid, signal.SIGINT)
        assert (following.wait(), following.lines()) == (130, [])


def _opened(tables: Path) -> int:
    """Return how many conversations the funnel has; none as long as its tables are not there."""
    if not tables.exists():
        return 0
    with closing(sqlite3.connect(tables)) as file, suppress(sqlite3.OperationalError):
        return int(file.execute("SELECT count(*) FROM funnel").fetchone()[0])
    return 0


def test_tables_that_have_more_than_until_are_not_shown_as_if_they_had_not(okno: Cli) -> None:
    okno.receive(item_of())
    earlier = ("replay", FUNNEL, "--until", "2020-01-01")
    assert okno.json(*earlier)["items"] == []
    assert len(okno.json("replay", FUNNEL)["items"]) == 1
    said = "the tables of funnel have what was recorded later than that already: --restart makes them anew"
    assert okno.wrong(*earlier) == said
    assert okno.json(*earlier, "--restart")["items"] == []


def test_a_query_shows_columns_of_one_name_apart_and_changes_nothing(okno: Cli) -> None:
    okno.receive(item_of())
    shown = okno.json("replay", FUNNEL, "--query", "SELECT 1 AS n, 2 AS n, 3 AS n_2, 4 AS n FROM funnel")
    assert shown["items"] == [{"n": 1, "n_3": 2, "n_2": 3, "n_4": 4}]
    assert "readonly" in okno.wrong("replay", FUNNEL, "--query", "DELETE FROM funnel RETURNING channel", status=3)
    assert len(okno.json("replay", FUNNEL)["items"]) == 1


def test_a_wrong_replay_is_told_in_one_line(okno: Cli, tmp_path: Path) -> None:
    okno("channels", "list")
    assert "no file nothing.py" in okno.wrong("replay", "nothing.py:A")
    assert "--out wants a name that ends in .csv or .json" in okno.wrong("replay", FUNNEL, "--out", "a.xlsx")
    assert "there is no folder nowhere" in okno.wrong("replay", FUNNEL, "--out", "nowhere/a.csv")
    assert "neither --until nor --out" in okno.wrong("replay", FUNNEL, "--follow", "--until", "2026-01-01")
    assert "--since wants a time" in okno.wrong("replay", FUNNEL, "--since", "yesterday")
    assert "ATTACH" in okno.wrong("replay", FUNNEL, "--into", "database")
    assert "ATTACH" in okno.wrong("replay", FUNNEL, "--into", str(okno.data / "okno.db"))
    for ours in ("okno.db", "keys.db", "blobs/../keys.db"):
        for into in (okno.data / ours, f"sqlite:///{okno.data / ours}"):
            assert "ATTACH" in okno.wrong("replay", FUNNEL, "--into", str(into))
    assert "--into wants a file" in okno.wrong("replay", FUNNEL, "--into", "mysql://x")
    assert "--since is after --until" in okno.wrong("replay", FUNNEL, "--since", "2026-11-02", "--until", "2026-11-01")
    assert "the query: OperationalError: no such table: nowhere" in okno.wrong(
        "replay", FUNNEL, "--query", "SELECT * FROM nowhere"
    )
