"""Next steps as operators plan and end them."""

from __future__ import annotations

from uuid import uuid4

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
