"""Next steps as operators plan and end them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.clock import now, to_text
from shared.database.protocol import Transaction
from shared.read_models import steps
from tests.examples import call_report, inbound
from tests.services.inbox_api.office import Office

DUE = "2026-12-01T09:00:00Z"


async def test_a_step_is_planned_postponed_and_done(office: Office) -> None:
    (message,) = await office.receive(inbound())
    body = {
        "id": str(uuid4()), "customer_id": str(message.customer_id), "conversation_id": str(message.conversation_id),
        "what": "send the offer", "due_at": DUE, "operator_id": str(office.olga.id), "note": "by mail",
    }  # fmt: skip
    step = await office.post("/steps", body, 201)
    assert (await office.post("/steps", body, 201)) == step
    same = [key for key in body if key not in ("operator_id", "due_at")]
    assert {key: step[key] for key in same} == {key: body[key] for key in same}
    assert (step["operator"], step["state"]) == ({"id": str(office.olga.id), "name": "Olga"}, "planned")
    assert (await office.get("/steps"))["items"] == [step]
    later = await office.post(f"/steps/{step['id']}/postpone", {"due_at": "2026-12-02T09:00:00Z"})
    assert later["due_at"].startswith("2026-12-02T09:00:00")
    done = await office.post(f"/steps/{step['id']}/done", {"note": "sent"})
    assert (done["state"], done["note"]) == ("done", "sent")
    assert (await office.get("/steps"))["items"] == []
    assert (await office.get("/steps", state="all", operator_id=office.olga.id))["items"] == [done]
    assert (await office.post(f"/steps/{step['id']}/decline", {}, 422))["code"] == "ended_already"
    path = f"/customers/{message.customer_id}/timeline"
    for as_of in ({}, {"as_of": "2999-01-01"}):
        kinds = [entry["kind"] for entry in (await office.get(path, **as_of))["items"]]
        assert kinds == ["text", "step_planned", "step_postponed", "step_done"]


async def test_what_is_due_is_listed_by_its_time_and_counted(office: Office) -> None:
    (message,) = await office.receive(inbound())
    (other,) = await office.receive(inbound(sender="ben@example.com"))
    start, planned = now(), []
    for hours in (30, -2, 2, -1, 50, 1):
        body = {
            "customer_id": str(message.customer_id if hours > 0 else other.customer_id),
            "what": f"in {hours} h", "due_at": to_text(start + timedelta(hours=hours)),
        }  # fmt: skip
        planned.append(await office.post("/steps", body, 201))
    until = to_text(start + timedelta(hours=12))
    page = await office.get("/steps", today_until=until)
    due = ["in -2 h", "in -1 h", "in 1 h", "in 2 h", "in 30 h", "in 50 h"]
    assert [step["what"] for step in page["items"]] == due
    assert (page["counts"], page["next"]) == ({"overdue": 2, "today": 2, "later": 2}, None)
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        part = await office.get("/steps", limit=2, today_until=until, **cursor)
        found += [step["what"] for step in part["items"]]
        cursor = {"cursor": part["next"]}
    assert (found, part["next"]) == (due, None)
    of_one = await office.get("/steps", customer_id=message.customer_id, today_until=until)
    assert of_one["counts"] == {"overdue": 0, "today": 2, "later": 2}
    await office.post(f"/steps/{planned[0]['id']}/done")
    assert (await office.get("/steps", today_until=until))["counts"]["later"] == 1
    for wrong in ({"cursor": "7"}, {"cursor": f"x_{uuid4()}"}, {"today_until": "soon"}):
        answer = await office.client.get("/api/v1/steps", params=wrong)
        assert answer.status_code == 422


@pytest.mark.parametrize("of", ["nobody", "customer", "operator"])
async def test_the_list_and_its_counts_read_an_index_and_sort_nothing(office: Office, of: str) -> None:
    some = UUID(int=7)
    wanted = steps.Wanted("planned", some if of == "customer" else None, some if of == "operator" else None)
    plans: list[str] = []

    def explained(tx: Transaction) -> None:
        class Explaining:
            def rows(self, sql: str, values: Any) -> list[Any]:
                if "FROM steps" in sql:
                    plans.extend(row[-1] for row in tx.rows(f"EXPLAIN QUERY PLAN {sql}", values))
                return []

            def row(self, sql: str, values: Any) -> None:
                self.rows(sql, values)

        steps.by_due(Explaining(), wanted, steps.Due("2026", "x"), 50)  # type: ignore[arg-type]
        steps.counts(Explaining(), wanted, "2026", "2027")  # type: ignore[arg-type]

    await office.database.read(explained)
    name = {"nobody": "steps_due", "customer": "steps_customer", "operator": "steps_operator"}[of]
    assert [plan for plan in plans if (" s " in plan and name not in plan) or "TEMP B-TREE" in plan] == []
    assert sum(name in plan for plan in plans) == 4


async def test_a_missed_call_is_to_be_called_back(office: Office) -> None:
    (message,) = await office.receive(call_report("missed"))
    (step,) = (await office.get("/steps", customer_id=message.customer_id))["items"]
    assert (step["what"], step["operator"], step["customer"]["address"]) == ("call_back", None, "+4915112345678")
    declined = await office.post(f"/steps/{step['id']}/decline", {"note": "a robot"})
    assert declined["state"] == "declined"


async def test_a_step_of_nobody_or_nothing_is_refused(office: Office) -> None:
    (message,) = await office.receive(inbound())
    (other,) = await office.receive(inbound(sender="ben@example.com"))
    good = {"customer_id": str(message.customer_id), "what": "call", "due_at": DUE}
    wrong = [
        {"customer_id": str(uuid4())}, {"what": " "}, {"due_at": "2026-12-01T09:00:00"},
        {"operator_id": str(uuid4())}, {"conversation_id": str(other.conversation_id)},
    ]  # fmt: skip
    for values in wrong:
        await office.post("/steps", {**good, **values}, 422)
    await office.post(f"/steps/{uuid4()}/done", {}, 404)
    await office.post("/steps", good, 201)
