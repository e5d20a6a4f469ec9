"""Which lines can start a call: what the provider has no way to do is neither offered nor taken."""

from __future__ import annotations

import json

from shared.domain import events as e
from shared.event_store.log import read_log
from shared.registry.channels import ChannelRegistry
from tests.examples import call_report
from tests.services.inbox_api.office import Office

GENERIC = {"provider": "generic", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
TWILIO = {"provider": "twilio", "account_sid": "AC1", "auth_token": "t"}
UIS = {"provider": "uis", "token": "t" * 16}
OURS = {"operator_address": "101"}


async def add(office: Office, name: str, **settings: str) -> str:
    return str((await ChannelRegistry(office.database, bytes(32)).add("telephony", name, settings)).id)


async def rung(office: Office) -> list[str]:
    events = await office.database.read(lambda tx: read_log(tx, 0, 1000))
    return [str(r.event.channel_id) for r in events if isinstance(r.event, e.ActionRequested)]


async def test_a_line_can_call_if_its_provider_can_and_knows_from_which_number(office: Office) -> None:
    await add(office, "generic", **GENERIC)
    await add(office, "silent", **TWILIO)
    await add(office, "twilio", **TWILIO, caller_number="+14155550100")
    await add(office, "mango", provider="mango", api_key="k", api_salt="s")
    await add(office, "zadarma", provider="zadarma", api_key="k", api_secret="s")
    await add(office, "uis", **UIS, access_token="a", caller_number="+74951234567")
    await add(office, "uis without a number", **UIS, access_token="a")
    await add(office, "uis without a key", **UIS, caller_number="+74951234567")
    shown = (await office.get("/channels"))["items"]
    assert {line["name"]: line["can"]["calls"] for line in shown if line["kind"] == "telephony"} == {
        "generic": False, "silent": False, "twilio": True, "mango": True, "zadarma": True,
        "uis": True, "uis without a number": False, "uis without a key": False,
    }  # fmt: skip


async def test_a_line_that_gets_or_loses_the_key_it_calls_with_is_offered_accordingly(office: Office) -> None:
    registry = ChannelRegistry(office.database, bytes(32))
    line = await registry.add("telephony", "uis", {**UIS, "caller_number": "+74951234567"})
    for access_token, calls in (("a", True), ("", False)):
        line = await registry.change(line, {"access_token": access_token})
        (shown,) = (each for each in (await office.get("/channels"))["items"] if each["name"] == "uis")
        assert shown["can"]["calls"] is calls


async def test_a_line_kept_before_it_was_noted_which_secrets_are_set_is_offered_as_before(office: Office) -> None:
    kept = json.dumps({"provider": "uis", "caller_number": "+74951234567"})
    id_ = await add(office, "uis", **UIS, access_token="a")
    await office.database.write(lambda tx: tx.run("UPDATE channels SET settings = ? WHERE id = ?", (kept, id_)))
    (shown,) = (each for each in (await office.get("/channels"))["items"] if each["name"] == "uis")
    assert shown["can"]["calls"] is True


async def test_a_call_leaves_by_the_line_that_can_start_one(office: Office) -> None:
    generic = await add(office, "generic", **GENERIC)
    (message,) = await office.receive(call_report("missed"))
    path = f"/conversations/{message.conversation_id}/call"
    refused = await office.post(path, {**OURS, "channel_id": generic}, 422)
    assert (refused["code"], refused["detail"]) == (
        "no_call",
        "This telephony has no way to start a call: dial the number yourself.",
    )
    mango = await add(office, "mango", provider="mango", api_key="k", api_salt="s")
    await office.post(path, {**OURS, "channel_id": mango}, 201)
    assert await rung(office) == [mango]
