"""The same asked for again under the id it had: answered as the first time, whatever has become of it all since."""

from __future__ import annotations

from dataclasses import replace

from shared.event_store.log import head
from shared.registry.channels import ChannelRegistry
from tests.examples import call_report, inbound
from tests.services.inbox_api.office import Office

MANGO = {"provider": "mango", "api_key": "k", "api_salt": "s"}
ID = "11111111-1111-4111-8111-111111111111"


async def test_another_call_under_an_id_that_was_used_is_refused_the_same_one_is_answered_as_before(
    office: Office,
) -> None:
    registry = ChannelRegistry(office.database, bytes(32))
    line, other = [str((await registry.add("telephony", name, MANGO)).id) for name in ("line", "other")]
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}/call"
    wanted = {"id": ID, "to": "+4915112345678", "operator_address": "101"}
    asked = {**wanted, "channel_id": line}
    first = await office.post(path, asked, 201)
    before = await office.database.read(head)
    for said in (asked, {**asked, "operator_address": " 101 "}, wanted, {"id": wanted["id"]}):
        assert await office.post(path, said, 201) == first
    for differs in ({"to": "+4915187654321"}, {"operator_address": "102"}, {"channel_id": other}):
        assert (await office.post(path, {**asked, **differs}, 422))["code"] == "id_taken"
    await office.post(f"/conversations/{message.conversation_id}/notes", {"id": wanted["id"], "text": "x"}, 422)
    assert await office.database.read(head) == before


async def test_what_a_call_left_open_stays_what_it_was_when_the_call_is_asked_for_again(office: Office) -> None:
    registry = ChannelRegistry(office.database, bytes(32))
    line = await registry.add("telephony", "line", MANGO)
    (message,) = await office.receive(replace(call_report("missed"), channel_id=line.id))
    await office.post("/session/telephone", {"telephone": "101"})
    path, asked = f"/conversations/{message.conversation_id}/call", {"id": ID}
    first = await office.post(path, asked, 201)
    await registry.set_state(line.id, "removed")
    await office.post("/session/telephone", {"telephone": ""})
    assert await office.post(path, asked, 201) == first


async def test_what_was_asked_of_a_message_is_answered_as_before_also_when_the_message_went_elsewhere(
    office: Office,
) -> None:
    message, other = await office.receive(inbound(), inbound("second"))
    here = f"/conversations/{message.conversation_id}"
    react = {"id": ID, "reaction": "\N{THUMBS UP SIGN}"}
    reply = {"id": "22222222-2222-4222-8222-222222222222", "text": "hello", "answers": str(message.message_id)}
    asked = ((f"{here}/messages/{message.message_id}/react", react), (f"{here}/replies", reply))
    first = [await office.post(path, body, 201) for path, body in asked]
    await office.post(f"{here}/merge", {"into": str(other.conversation_id)})
    assert [await office.post(path, body, 201) for path, body in asked] == first
    await office.post(asked[0][0], {"reaction": react["reaction"]}, 404)
