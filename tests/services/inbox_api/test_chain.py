"""GET /reports/chain and comparing the log with it, as the ledger's page asks."""

from __future__ import annotations

from typing import Any

import pytest

from services.projector.chain import link_next
from tests.examples import inbound
from tests.services.inbox_api.office import Office


async def as_admin(office: Office) -> dict[str, str]:
    return {"Authorization": f"Bearer {await office.token_of('boss@okno.example', 'admin')}"}


async def ask(office: Office, method: str, path: str, headers: dict[str, str]) -> Any:
    answer = await office.client.request(method, f"/api/v1/reports/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_chain_says_when_it_was_verified_last_and_by_whom(office: Office) -> None:
    headers = await as_admin(office)
    before = await ask(office, "GET", "chain", headers)
    assert before == {"head": f"0:{'00' * 32}", "linked_at": None, "unlinked": 0, "last_verified": None}
    await office.receive(inbound())
    await link_next(office.database)
    verified = await ask(office, "POST", "chain/verify", headers)
    assert verified == await ask(office, "GET", "chain", headers)
    last = verified["last_verified"]
    assert last == {"at": last["at"], "by": "boss", "events": 3, "head": verified["head"], "difference": None}
    assert (verified["head"].split(":")[0], verified["unlinked"]) == ("3", 0)


async def test_a_changed_event_is_named(office: Office) -> None:
    headers = await as_admin(office)
    await office.receive(inbound())
    await link_next(office.database)
    await office.database.write(lambda tx: tx.run("UPDATE stored_events SET state = x'00' WHERE rowid = 2"))
    verified = await ask(office, "POST", "chain/verify", headers)
    assert verified["last_verified"]["difference"] == "the event at position 2 was changed"


@pytest.mark.parametrize(("method", "path"), [("GET", "chain"), ("POST", "chain/verify")])
async def test_it_is_for_admins_and_to_be_read_for_analysts(office: Office, method: str, path: str) -> None:
    analyst = {"Authorization": f"Bearer {await office.token_of('anton@okno.example', 'analyst')}"}
    answer = await office.client.request(method, f"/api/v1/reports/{path}", headers=analyst)
    assert answer.status_code == (200 if method == "GET" else 403)
    assert (await office.client.request(method, f"/api/v1/reports/{path}")).status_code == 403
