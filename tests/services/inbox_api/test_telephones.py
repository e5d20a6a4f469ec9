"""An operator's own telephone: asked for once, then rung by every click to call."""

from __future__ import annotations

import pytest

from shared.domain import events as e
from shared.event_store.log import read_log
from shared.registry.telephones import Telephones, WrongTelephone, telephone_of
from tests.examples import call_report
from tests.services.inbox_api.office import Office


async def rung(office: Office) -> list[str]:
    events = await office.database.read(lambda tx: read_log(tx, 0, 1000))
    return [r.event.operator_address for r in events if isinstance(r.event, e.ActionRequested)]


async def test_click_to_call_asks_for_the_operators_telephone_once_and_remembers_it(office: Office) -> None:
    (message,) = await office.receive(call_report("missed"))
    path = f"/conversations/{message.conversation_id}/call"
    assert await office.get("/session/telephone") == {"telephone": ""}
    assert (await office.post(path, {}, 422))["code"] == "no_telephone"
    assert await rung(office) == []
    kept = await office.post("/session/telephone", {"telephone": " +7 (495) 123-45-67 "})
    assert kept == await office.get("/session/telephone") == {"telephone": "+74951234567"}
    await office.post(path, {}, 201)
    await office.post(path, {"operator_address": "102"}, 201)
    assert await rung(office) == ["+74951234567", "102"]
    await office.post("/session/telephone", {"telephone": ""})
    assert (await office.post(path, {}, 422))["code"] == "no_telephone"


async def test_each_operator_has_a_telephone_of_their_own(office: Office) -> None:
    telephones = Telephones(office.database)
    other = await office.operators.add("ben@okno.example", "operator")
    await telephones.keep(other.id, "101")
    await telephones.keep(office.olga.id, "102")
    await telephones.keep(other.id, "103")
    assert [await telephones.of(each.id) for each in (other, office.olga)] == ["103", "102"]


async def test_what_is_no_telephone_is_refused(office: Office) -> None:
    await office.post("/session/telephone", {"telephone": "call me"}, 422)
    assert await office.get("/session/telephone") == {"telephone": ""}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("101", "101"), ("12345-100", "12345-100"), ("8-800-555-35-35", "88005553535"), ("+49 30 123.45", "+493012345")],
)
def test_a_telephone_is_kept_without_its_decoration(given: str, kept: str) -> None:
    assert telephone_of(given) == kept


@pytest.mark.parametrize("given", ["", "1", "+", "sip:a@b", "１０１", "1" * 16, "+7495<script>"])
def test_a_telephone_is_digits(given: str) -> None:
    with pytest.raises(WrongTelephone):
        telephone_of(given)
