"""The customer's card over HTTP: changing it, being overtaken, its history, own fields, consents, the vCard."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clock import to_text
from tests.examples import inbound
from tests.services.inbox_api.office import Office

EMPTY: dict[str, Any] = {
    "name": "Anna",
    "organisation": None,
    "language": None,
    "time_zone": None,
    "addresses": [],
    "requisites": None,
    "tags": [],
    "segment": None,
    "operator": None,
    "birthday": None,
    "notes": None,
    "own": {},
    "consents": {},
    "retired": False,
    "changed_at": None,
}


async def anna(office: Office) -> str:
    (message,) = await office.receive(inbound())
    return str(message.customer_id)


async def change(office: Office, customer: str, status: int = 200, **fields: Any) -> Any:
    """Change fields, each given as (before, after)."""
    changes = [
        {"field": name.replace("__", "."), "before": before, "after": after} for name, (before, after) in fields.items()
    ]
    answer = await office.client.patch(f"/api/v1/customers/{customer}/card", json={"changes": changes})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_customer_who_wrote_has_an_empty_card_with_their_name(office: Office) -> None:
    customer = await anna(office)
    card = await office.get(f"/customers/{customer}/card")
    position = card.pop("position")
    assert card == {"customer_id": customer, **EMPTY}
    assert (await office.get(f"/customers/{customer}"))["card"] == {**card, "position": position}


async def test_every_field_is_changed_at_once_and_read_back(office: Office) -> None:
    customer = await anna(office)
    wanted = {
        "name": "Анна Петрова",
        "organisation": "ООО «Ромашка»",
        "language": "ru-RU",
        "time_zone": "Europe/Moscow",
        "addresses": ["Москва, ул. Мира, 1; кв. 2"],
        "requisites": "ИНН 7700000000\nКПП 770001001",
        "tags": ["vip", "опт"],
        "segment": "B2B",
        "birthday": "1990-12-31",
        "notes": "Звонить после 12",
    }
    shown = await change(office, customer, **{name: (EMPTY[name], after) for name, after in wanted.items()})
    assert {name: shown[name] for name in wanted} == wanted
    shown = await change(office, customer, operator=(None, "olga@okno.example"))
    assert shown["operator"] == {"id": str(office.olga.id), "name": office.olga.name}
    assert (await change(office, customer, operator=(shown["operator"], None)))["operator"] is None
    assert (await office.get("/customers"))["items"][0]["name"] == "Анна Петрова"


async def test_a_change_that_was_overtaken_is_refused_and_tells_both_values(office: Office) -> None:
    customer = await anna(office)
    await change(office, customer, segment=(None, "B2B"), notes=(None, "one"))
    problem = await change(office, customer, 409, segment=(None, "B2C"), notes=("one", "two"))
    assert problem["code"] == "changed_meanwhile"
    assert problem["fields"] == [{"field": "segment", "expected": None, "holds": "B2B", "wanted": "B2C"}]
    card = await office.get(f"/customers/{customer}/card")
    assert (card["segment"], card["notes"]) == ("B2B", "one")


async def test_a_change_that_stands_already_is_no_conflict_and_no_event(office: Office) -> None:
    customer = await anna(office)
    first = await change(office, customer, segment=(None, "B2B"))
    assert await change(office, customer, segment=(None, "B2B")) == first
    history = await office.get(f"/customers/{customer}/card/history", field="segment")
    assert len(history["items"]) == 1


@pytest.mark.parametrize(
    ("field", "after", "why"),
    [
        ("time_zone", "Mars/Base", "no time zone"),
        ("birthday", "1990-02-30", "no such day"),
        ("language", "по-русски", "no language"),
        ("operator", "nobody@example.com", "no operator"),
        ("tags", 5, "a text is wanted"),
        ("name", "x" * 501, "longer than 500"),
        ("notes", "bell \a", "control characters"),
        ("own.size", "M", "no field 'own.size'"),
        ("colour", "red", "no field 'colour'"),
    ],
)
async def test_what_a_field_cannot_hold_is_refused_with_words(
    office: Office, field: str, after: object, why: str
) -> None:
    customer = await anna(office)
    problem = await change(office, customer, 422, **{field: (None, after)})
    assert why in problem["detail"]


async def test_history_tells_who_when_and_what_was_before(office: Office) -> None:
    customer, moments = await anna(office), [to_text(office.clock.at)]
    for changes in ({"segment": (None, "B2B")}, {"segment": ("B2B", "B2C"), "name": ("Anna", "Анна")}):
        office.clock.forward(60)
        moments.append(to_text(office.clock.at))
        await change(office, customer, **changes)
    items = (await office.get(f"/customers/{customer}/card/history"))["items"]
    assert [(i["field"], i["before"], i["after"], i["by"]["name"]) for i in items] == [
        ("segment", "B2B", "B2C", office.olga.name),
        ("name", "Anna", "Анна", office.olga.name),
        ("segment", None, "B2B", office.olga.name),
        ("name", None, "Anna", "Anna"),
    ]
    assert [item["at"] for item in items] == [moments[2], moments[2], moments[1], moments[0]]
    only = await office.get(f"/customers/{customer}/card/history", field="segment", limit=1)
    rest = await office.get(f"/customers/{customer}/card/history", field="segment", cursor=only["next"])
    assert only["items"] == [items[0]]
    assert rest["items"] == [items[2]]


async def test_changes_and_consents_stand_on_the_timeline(office: Office) -> None:
    customer = await anna(office)
    await change(office, customer, segment=(None, "B2B"))
    said = {"channel": "email", "state": "given", "text": "Пишите мне", "how": "by telephone"}
    card = await office.post(f"/customers/{customer}/consents", said)
    given = card["consents"]["email"]
    assert given == {"state": "given", "text": "Пишите мне", "at": given["at"], "how": "by telephone"}
    entries = (await office.get(f"/customers/{customer}/timeline"))["items"]
    assert [(entry["kind"], entry["text"]) for entry in entries[-2:]] == [
        ("card", "segment: B2B"),
        ("consent", "email: given"),
    ]
    assert entries[-2]["changes"] == [{"field": "segment", "before": [], "after": ["B2B"]}]


async def test_own_fields_are_defined_by_admins_and_checked_by_type(office: Office) -> None:
    customer = await anna(office)
    token = await office.token_of("boss@example.com", "admin")
    admin = {"Authorization": f"Bearer {token}"}
    size = {"key": "size", "label": "Размер", "type": "choice", "choices": ["S", "M"]}
    others = [
        {"key": type_, "label": type_, "type": type_, "choices": []} for type_ in ("text", "number", "date", "yes_no")
    ]
    assert (await office.client.post("/api/v1/fields", json=size)).status_code == 403
    for field in (size, *others):
        answer = await office.client.post("/api/v1/fields", json=field, headers=admin)
        assert (answer.status_code, answer.json()) == (201, field)
    assert (await office.get("/fields"))["items"] == [size, *others]
    values = {"own__size": (None, "m"), "own__number": (None, "1 234,50"), "own__date": (None, "1.2.2030")}
    own = (await change(office, customer, **values, own__yes_no=(None, "да"), own__text=(None, " a  b ")))["own"]
    assert own == {"size": "M", "text": "a b", "number": 1234.5, "date": "2030-02-01", "yes_no": True}
    problem = await change(office, customer, 422, own__size=("M", "XL"))
    assert "none of S, M" in problem["detail"]
    retyped = await office.client.post("/api/v1/fields", json={**size, "type": "text", "choices": []}, headers=admin)
    assert retyped.status_code == 422
    assert (await office.client.delete("/api/v1/fields/size", headers=admin)).status_code == 204
    assert "size" not in (await office.get(f"/customers/{customer}/card"))["own"]
    await office.client.post("/api/v1/fields", json=size, headers=admin)
    assert (await office.get(f"/customers/{customer}/card"))["own"]["size"] == "M"


async def test_a_card_of_the_past_has_the_own_fields_there_were_then(office: Office) -> None:
    customer = await anna(office)
    admin = {"Authorization": f"Bearer {await office.token_of('boss@example.com', 'admin')}"}
    size = {"key": "size", "label": "Размер", "type": "text", "choices": []}
    moments = [to_text(office.clock.at)]
    office.clock.forward(60)
    await office.client.post("/api/v1/fields", json=size, headers=admin)
    await change(office, customer, own__size=(None, "M"))
    moments.append(to_text(office.clock.at))
    office.clock.forward(60)
    await office.client.delete("/api/v1/fields/size", headers=admin)
    moments.append(to_text(office.clock.at))
    then = [(await office.get(f"/customers/{customer}", as_of=at))["card"]["own"] for at in moments]
    assert then == [{}, {"size": "M"}, {}]
    assert [(await office.get(f"/customers/{customer}/card", as_of=at))["own"] for at in moments] == then
    for as_of, status in (("2000-01-01", 404), ("then", 422)):
        answer = await office.client.get(f"/api/v1/customers/{customer}/card", params={"as_of": as_of})
        assert answer.status_code == status


async def test_the_vcard_is_a_file_with_the_card_in_it(office: Office) -> None:
    customer = await anna(office)
    await change(office, customer, organisation=(None, "A; B"), tags=([], ["vip"]))
    answer = await office.client.get(f"/api/v1/customers/{customer}/card.vcf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/vcard; charset=utf-8")
    assert "attachment" in answer.headers["content-disposition"]
    lines = answer.text.split("\r\n")
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:4.0"]
    assert {"FN:Anna", "EMAIL:anna@example.com", r"ORG:A\; B", "CATEGORIES:vip"} <= set(lines)


async def test_a_customer_who_does_not_exist_has_no_card(office: Office) -> None:
    nobody = "00000000-0000-0000-0000-000000000001"
    for path in ("card", "card/history", "card.vcf"):
        assert (await office.client.get(f"/api/v1/customers/{nobody}/{path}")).status_code == 404
    await change(office, nobody, 404, name=(None, "x"))
