"""The card of customers who are shown as one: what it shows, where its changes go, and what un-merging gives back."""

from __future__ import annotations

from typing import Any

from shared.clock import to_text
from tests.services.inbox_api.office import Office
from tests.services.inbox_api.test_cards import change
from tests.services.inbox_api.test_merging import merge, three, unmerge

SAID = {"channel": "email", "text": "", "how": "by telephone"}


async def card(office: Office, customer: object) -> Any:
    return await office.get(f"/customers/{customer}/card")


async def anna_and_ben(office: Office) -> tuple[str, str]:
    """Two with a field of their own each, and one that both have."""
    anna, ben = (str(each.customer_id) for each in (await three(office))[:2])
    await change(office, anna, segment=(None, "B2B"))
    await change(office, ben, segment=(None, "B2C"), organisation=(None, "Ромашка"), tags=([], ["vip"]))
    return anna, ben


async def test_a_group_shows_what_any_member_holds_and_says_it_the_same_for_each(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    await merge(office, ben, anna)
    shown = await card(office, anna)
    assert shown == await card(office, ben)
    fields = ("customer_id", "name", "segment", "organisation", "tags")
    assert tuple(shown[field] for field in fields) == (anna, "Anna", "B2B", "Ромашка", ["vip"])
    for customer in (anna, ben):
        assert (await office.get(f"/customers/{customer}"))["card"] == shown


async def test_a_change_made_to_a_group_is_shown_and_stays_with_who_stands_for_it(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    before = await card(office, ben)
    await merge(office, ben, anna)
    shown = await change(office, ben, organisation=("Ромашка", "Лютик"), tags=(["vip"], []), segment=("B2B", None))
    assert (shown["organisation"], shown["tags"], shown["segment"]) == ("Лютик", [], None)
    assert shown == await card(office, anna)
    await unmerge(office, anna, ben)
    assert await card(office, ben) == before
    assert (await card(office, anna))["organisation"] == "Лютик"


async def test_what_somebody_else_changed_on_a_group_is_not_written_over(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    await merge(office, ben, anna)
    problem = await change(office, anna, 409, organisation=(None, "Лютик"))
    assert problem["fields"] == [{"field": "organisation", "expected": None, "holds": "Ромашка", "wanted": "Лютик"}]


async def test_the_last_word_on_a_consent_is_that_of_the_group(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    await office.post(f"/customers/{ben}/consents", {**SAID, "state": "given"})
    await merge(office, ben, anna)
    assert (await card(office, anna))["consents"]["email"]["state"] == "given"
    shown = await office.post(f"/customers/{ben}/consents", {**SAID, "state": "withdrawn"})
    assert shown["consents"]["email"]["state"] == "withdrawn"
    await unmerge(office, anna, ben)
    states = [(await card(office, each))["consents"]["email"]["state"] for each in (anna, ben)]
    assert states == ["withdrawn", "given"]


async def test_the_history_of_a_group_is_that_of_all_members(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    await merge(office, ben, anna)
    items = (await office.get(f"/customers/{ben}/card/history", field="segment"))["items"]
    assert [(item["customer_id"], item["after"]) for item in items] == [(ben, "B2C"), (anna, "B2B")]


async def test_a_moment_before_the_merge_shows_each_their_own_card(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    at = to_text(office.clock.at)
    office.clock.forward(60)
    await merge(office, ben, anna)
    then = await office.get(f"/customers/{anna}", as_of=at)
    now = await office.get(f"/customers/{anna}")
    assert (then["card"]["organisation"], now["card"]["organisation"]) == (None, "Ромашка")
    assert [await office.get(f"/customers/{each}/card", as_of=at) for each in (anna, ben)] == [
        then["card"], (await office.get(f"/customers/{ben}", as_of=at))["card"]
    ]  # fmt: skip


async def test_a_group_is_one_row_of_the_export(office: Office) -> None:
    anna, ben = await anna_and_ben(office)
    await merge(office, ben, anna)
    answer = await office.client.get("/api/v1/customers/export.csv")
    rows = [line for line in answer.text.splitlines() if "Ромашка" in line]
    assert len(rows) == 1
    assert rows[0].startswith(anna)
    assert "email: anna@x; email: ben@x" in rows[0]
    assert ben not in answer.text
