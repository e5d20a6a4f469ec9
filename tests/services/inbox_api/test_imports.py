"""Importing customers from CSV over HTTP: preview, dry run, import, undo, and the export that reads back."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from shared.registry.operators import Role
from tests.examples import inbound
from tests.services.export.test_pass_over import spoil
from tests.services.inbox_api.office import Office

FILE = """Имя;Почта;Телефон;Теги;День рождения
Анна Петрова;Anna@Example.com;;vip, опт;31.12.1990
Борис;boris@example.com;8 (999) 123-45-67;;
Вера;;12;;
Борис Другой;boris@example.com;;;
"""


@pytest_asyncio.fixture
async def office(office: Office) -> Office:
    """The client is an admin here."""
    office.client.headers["Authorization"] = f"Bearer {await office.token_of('boss@okno.example', 'admin')}"
    return office


async def send(office: Office, data: str | bytes, status: int = 200, **query: Any) -> Any:
    body = data if isinstance(data, bytes) else data.encode()
    answer = await office.client.post("/api/v1/customers/import", params=query, content=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def import_(office: Office, data: str | bytes, **query: Any) -> Any:
    return await send(office, data, dry_run="false", country="RU", name="клиенты.csv", **query)


async def card(office: Office, customer: str) -> Any:
    return await office.get(f"/customers/{customer}/card")


async def test_a_preview_tells_how_the_file_is_written_and_where_columns_would_go(office: Office) -> None:
    data = FILE.encode("windows-1251")
    answer = (await office.client.post("/api/v1/customers/import/preview", content=data)).json()
    assert (answer["encoding"], answer["separator"]) == ("windows-1251", ";")
    assert [column["field"] for column in answer["columns"]] == ["name", "email", "phone", "tags", "birthday"]
    assert answer["rows"][0] == ["Анна Петрова", "Anna@Example.com", "", "vip, опт", "31.12.1990"]


async def test_a_dry_run_says_what_would_become_of_each_row_and_changes_nothing(office: Office) -> None:
    (message,) = await office.receive(inbound())
    before = await office.get("/events")
    report = await send(office, FILE, country="RU")
    assert report["counts"] == {"new": 1, "known": 1, "changed": 1, "conflict": 1, "wrong": 1}
    first, second, third, fourth = report["items"]
    assert (first["row"], first["state"], first["customer_id"]) == (2, "known", str(message.customer_id))
    assert first["changes"] == [
        {"field": "name", "before": ["Anna"], "after": ["Анна Петрова"]},
        {"field": "tags", "before": [], "after": ["vip", "опт"]},
        {"field": "birthday", "before": [], "after": ["1990-12-31"]},
    ]
    assert (second["row"], second["state"]) == (3, "new")
    assert (third["row"], third["state"]) == (4, "wrong")
    assert third["problems"] == [{"column": "Телефон", "why": "'12' is no telephone number"}]
    assert (fourth["row"], fourth["state"]) == (5, "conflict")
    assert fourth["problems"] == [{"column": "", "why": "row 3 is about the same customer"}]
    assert await office.get("/events") == before


async def test_a_dry_run_of_headings_only_counts_nobody(office: Office) -> None:
    report = await send(office, "name,email\n")
    assert (report["items"], set(report["counts"].values())) == ([], {0})


async def test_an_import_makes_and_changes_customers_and_is_listed(office: Office) -> None:
    (message,) = await office.receive(inbound())
    done = await import_(office, FILE)
    assert (await card(office, str(message.customer_id)))["name"] == "Анна Петрова"
    boris = next(item["customer_id"] for item in done["items"] if item["state"] == "new")
    person = await office.get(f"/customers/{boris}")
    assert person["name"] == "Борис"
    assert [(i["kind"], i["address"]) for i in person["identities"]] == [
        ("email", "boris@example.com"),
        ("phone", "+79991234567"),
    ]
    (listed,) = (await office.get("/imports"))["items"]
    assert (listed["id"], listed["file"], listed["state"], listed["row"]) == (done["id"], "клиенты.csv", "finished", 5)
    counts = {name: listed[name] for name in ("new", "known", "changed", "conflict", "wrong")}
    assert counts == {"new": 1, "known": 1, "changed": 1, "conflict": 1, "wrong": 1}
    (reply,) = await office.receive(inbound(sender="boris@example.com"))
    assert str(reply.customer_id) == boris


async def test_the_same_import_again_adds_nothing(office: Office) -> None:
    import_id = str(uuid4())
    await import_(office, FILE, id=import_id)
    events = await office.get("/events")
    again = await import_(office, FILE, id=import_id)
    assert (again["counts"]["new"], again["items"]) == (0, [])
    assert await office.get("/events") == events
    other = await send(office, FILE + "x;y;z;;\n", 422, dry_run="false", id=import_id, country="RU")
    assert "of another file" in other["detail"]
    anew = await import_(office, FILE)
    assert anew["counts"] == {"new": 0, "known": 2, "changed": 0, "conflict": 1, "wrong": 1}


async def test_undoing_brings_back_what_nobody_changed_since_and_hides_whom_it_made(office: Office) -> None:
    (message,) = await office.receive(inbound())
    anna = str(message.customer_id)
    done = await import_(office, FILE)
    boris = next(item["customer_id"] for item in done["items"] if item["state"] == "new")
    changes = [{"field": "tags", "before": ["vip", "опт"], "after": ["vip"]}]
    await office.client.patch(f"/api/v1/customers/{anna}/card", json={"changes": changes})
    undone = await office.post(f"/imports/{done['id']}/undo")
    assert (undone["state"], undone["restored"], undone["left"], undone["retired"]) == ("undone", 2, 1, 1)
    assert undone["items"] == [{"row": 2, "customer_id": anna, "fields": ["tags"], "why": "changed"}]
    shown = await card(office, anna)
    assert (shown["name"], shown["tags"], shown["birthday"]) == ("Anna", ["vip"], None)
    assert [each["id"] for each in (await office.get("/customers"))["items"]] == [anna]
    assert (await card(office, boris))["retired"]
    again = await office.post(f"/imports/{done['id']}/undo")
    assert again["state"] == "undone"
    await send(office, FILE, 422, dry_run="false", id=done["id"], country="RU")


async def test_whom_an_undone_import_made_comes_back_with_contact_or_another_import(office: Office) -> None:
    done = await import_(office, FILE)
    boris = next(item["customer_id"] for item in done["items"] if "boris@example.com" not in str(item["problems"])
                 and item["changes"] and item["row"] == 3)  # fmt: skip
    await office.post(f"/imports/{done['id']}/undo")
    assert (await office.get("/customers"))["items"] == []
    again = await import_(office, FILE)
    assert again["counts"]["new"] == 2
    assert not (await card(office, boris))["retired"]
    await office.post(f"/imports/{again['id']}/undo")
    (message,) = await office.receive(inbound(sender="boris@example.com", name="Борис"))
    assert str(message.customer_id) == boris
    assert [each["id"] for each in (await office.get("/customers"))["items"]] == [boris]


async def test_whom_we_have_met_since_is_not_hidden(office: Office) -> None:
    done = await import_(office, FILE)
    await office.receive(inbound(sender="boris@example.com"))
    undone = await office.post(f"/imports/{done['id']}/undo")
    assert (undone["retired"], [left["why"] for left in undone["items"]]) == (1, ["contact"])


async def test_whom_an_undo_leaves_without_a_word_of_theirs_is_told_without_a_row(office: Office) -> None:
    """An address alone changes no card, so that no event says in which row it stood."""
    done = await import_(office, "email\nanna@example.com\nboris@example.com\n")
    for address in ("anna@example.com", "boris@example.com"):
        await office.receive(inbound(sender=address))
    undone = await office.post(f"/imports/{done['id']}/undo")
    assert [(left["row"], left["why"]) for left in undone["items"]] == [(None, "contact")] * 2
    assert {left["customer_id"] for left in undone["items"]} == {item["customer_id"] for item in done["items"]}


async def test_lines_tell_progress_while_rows_are_taken_in(office: Office) -> None:
    rows = "".join(f"Клиент {n},client{n}@example.com\n" for n in range(250))
    answer = await office.client.post(
        "/api/v1/customers/import", params={"dry_run": "false"}, content=f"name,email\n{rows}".encode(),
        headers={"Accept": "application/x-ndjson"},
    )  # fmt: skip
    lines = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [line["counts"]["new"] for line in lines] == [100, 200, 250, 250, 250]
    assert (lines[-1]["done"], sum(len(line.get("items", ())) for line in lines)) == (True, 250)


async def test_an_export_is_safe_and_reading_it_back_changes_nothing(office: Office) -> None:
    await office.receive(inbound(), inbound(sender="=cmd@example.com", name="=2+2"))
    await import_(
        office, 'Имя,Телефон,Заметки,Адрес\n"@SUM(1)",+79991234567,"\'=x","-1, дом; 2\nТверь"\n"+1","8 912 345-67-89",,'
    )
    answer = await office.client.get("/api/v1/customers/export.csv", params={"separator": "semicolon"})
    assert answer.content.startswith("\ufeffid;email;phone;name;".encode())
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""), delimiter=";"))
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]
    found = {row["name"]: row for row in (dict(zip(rows[0], row, strict=True)) for row in rows[1:])}
    assert found["'@SUM(1)"]["phone"] == "tel:+79991234567"
    assert (found["'@SUM(1)"]["notes"], found["'@SUM(1)"]["addresses"]) == ("'=x", "'-1, дом; 2\nТверь")
    again = await send(office, answer.content)
    assert again["counts"] == {"new": 0, "known": 4, "changed": 0, "conflict": 0, "wrong": 0}


async def test_a_row_with_more_cells_than_headings_is_wrong_for_its_values_may_have_slipped(office: Office) -> None:
    data = "email,name,company\nanna@example.com,Петрова, Анна,Ромашка\nben@example.com,Ben,,,\n"
    report = await send(office, data)
    assert [(row["row"], row["state"], [p["why"] for p in row["problems"]]) for row in report["items"]] == [
        (2, "wrong", ["more cells than headings: a value with a separator in it must stand in quotes"]),
        (3, "new", []),
    ]


@pytest.mark.parametrize("role", ["operator", "analyst"])
async def test_only_admins_import_and_undo(office: Office, role: Role) -> None:
    done = await import_(office, FILE)
    token = await office.token_of(f"{role}@okno.example", role)
    before = await office.get("/events")
    for method, path in (
        ("POST", "/customers/import/preview"),
        ("POST", "/customers/import"),
        ("POST", "/customers/import?dry_run=false"),
        ("GET", "/imports"),
        ("POST", f"/imports/{done['id']}/undo"),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await office.client.request(method, f"/api/v1{path}", content=FILE.encode(), headers=headers)
        assert (answer.status_code, path) == (403, path)
    assert await office.get("/events") == before


@pytest.mark.parametrize(
    ("data", "query", "why"),
    [
        (b"", {}, "empty"),
        (b"\n\n", {}, "no headings"),
        (b"PK\x03\x04\x00\x00", {}, "save the table as CSV"),
        (b"name\nx\n", {}, "email, phone or id"),
        (b"email,email\nx,y\n", {"map": "email=email"}, "several columns"),
        (b"email,b\nx,y\n", {"map": "c=email"}, "no column is called 'c'"),
        (b"email,b\nx,y\n", {"map": ["email=email", "b=colour"]}, "no field 'colour'"),
        (b"email,b\nx,y\n", {"map": "email"}, "HEADING=FIELD"),
        (b"email\nx\n", {"dry_run": "maybe"}, "dry_run"),
        (b"email\nx\n", {"country": "Russia"}, "two letters"),
        (b'email,name\na@b.de,"x\n', {}, "row 2 cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_with_words(
    office: Office, data: bytes, query: dict[str, Any], why: str
) -> None:
    problem = await send(office, data, 422, **query)
    assert why in problem["detail"]


async def test_rows_whose_customer_cannot_be_read_are_named(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.inbox_api.importing.BATCH", 2)
    await import_(office, FILE)
    events = (await office.get("/events", type="CustomerRegistered"))["items"]
    await spoil(office.database, events[1]["position"])
    later = "name,email\nA,a@example.com\nB,b@example.com\nC,c@example.com\nD,boris@example.com\n"
    path, query = "/api/v1/customers/import", {"dry_run": "false"}
    answer = await office.client.post(path, params=query, content=later, headers={"Accept": "application/x-ndjson"})
    taken, stopped = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [row["state"] for row in taken["items"]] == ["new", "new"]
    assert stopped["problem"].startswith(f"row 5: the event at position {events[1]['position']} (CustomerRegistered)")
    assert (await send(office, later.replace("boris@", "d@"), dry_run="false"))["counts"]["new"] == 2


async def test_lines_tell_how_far_an_undoing_is(office: Office) -> None:
    rows = "".join(f"Клиент {n},client{n}@example.com\n" for n in range(450))
    done = await import_(office, f"name,email\n{rows}")
    path = f"/api/v1/imports/{done['id']}/undo"
    answer = await office.client.post(path, headers={"Accept": "application/x-ndjson"})
    *steps, last = [orjson.loads(line) for line in answer.text.splitlines()]
    assert len(steps) > 2
    assert [step["retired"] for step in steps] == sorted(step["retired"] for step in steps)
    assert (last["done"], last["state"], last["retired"], last["items"]) == (True, "undone", 450, [])
    again = await office.client.post(path, headers={"Accept": "application/x-ndjson"})
    assert orjson.loads(again.text.splitlines()[-1])["state"] == "undone"
