"""An operator's own signature: kept for each, shown before a mail is sent, and fixed in what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain import events as e
from shared.event_store.log import read_log
from shared.registry.signatures import Signatures, WrongSignature
from tests.examples import MAILBOX, call_report, inbound
from tests.services.inbox_api.office import Office


async def mailbox(office: Office, **settings: str) -> None:
    text = json.dumps({"address": "us@okno.example", "signature": "", "organisation": ""} | settings)
    await office.database.write(
        lambda tx: tx.run("UPDATE channels SET settings = ? WHERE id = ?", (text, str(MAILBOX)))
    )


async def asked_for(office: Office) -> list[str]:
    events = await office.database.read(lambda tx: read_log(tx, 0, 1000))
    return [r.event.signature for r in events if isinstance(r.event, e.ReplyRequested)]


async def test_what_will_stand_below_is_in_the_draft_and_what_stood_there_in_the_event(office: Office) -> None:
    await mailbox(office, signature=r"{signature}\n{organisation}", organisation="Okno Ltd")
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    assert (await office.get(f"{path}/draft"))["signature"] == "Okno Ltd"
    kept = await office.post("/session/signature", {"signature": " Yours,  \r\n{operator}\n"})
    assert kept == await office.get("/session/signature") == {"signature": "Yours,\n{operator}"}
    assert (await office.get(f"{path}/draft"))["signature"] == "Yours,\nOlga\nOkno Ltd"
    body = {"text": "Hi", "id": "00000000-0000-4000-8000-000000000001"}
    await office.post(f"{path}/replies", body, 201)
    await office.post("/session/signature", {"signature": ""})
    await office.post(f"{path}/replies", body, 201)  # once more, as after a lost answer
    assert await asked_for(office) == ["Yours,\n{operator}"]
    assert (await office.get(f"{path}/draft"))["signature"] == "Okno Ltd"


async def test_each_operator_has_their_own(office: Office) -> None:
    signatures, ben = Signatures(office.database), await office.operators.add("ben@okno.example", "operator")
    await signatures.keep(ben.id, "Ben")
    await signatures.keep(office.olga.id, "Olga")
    assert [await signatures.of(each.id) for each in (ben, office.olga)] == ["Ben", "Olga"]


async def test_a_channel_without_signatures_gets_none(office: Office) -> None:
    await office.post("/session/signature", {"signature": "Olga"})
    (message,) = await office.receive(inbound())  # the office's channel has no such setting
    path = f"/conversations/{message.conversation_id}"
    assert (await office.get(f"{path}/draft"))["signature"] == ""
    await office.post(f"{path}/replies", {"text": "Hi"}, 201)
    assert await asked_for(office) == [""]


async def test_a_conversation_with_nothing_to_answer_has_an_empty_draft(office: Office) -> None:
    (message,) = await office.receive(call_report("missed"))
    assert (await office.get(f"/conversations/{message.conversation_id}/draft"))["signature"] == ""


@pytest.mark.parametrize("given", ["{name}", "{signature}", "x" * 2001])
async def test_what_could_not_be_filled_in_is_refused(office: Office, given: str) -> None:
    assert "signature" in (await office.post("/session/signature", {"signature": given}, 422))["detail"]
    with pytest.raises(WrongSignature):
        await Signatures(office.database).keep(office.olga.id, given)
    assert await office.get("/session/signature") == {"signature": ""}


async def test_odd_line_ends_are_one_kind(office: Office) -> None:
    body: dict[str, Any] = {"signature": "a \u2028c\r\nd\0"}
    assert await office.post("/session/signature", body) == {"signature": "a\nc\nd\ufffd"}
