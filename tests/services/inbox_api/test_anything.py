"""Whatever anybody sends to any address is answered: below 500, and refused as a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec
import pytest

from services.inbox_api.routes import OPEN, SIGNED_IN, Address, OpenAddress
from shared.contracts.inbound import FileRef
from shared.read_models.entries import attachment_id
from tests.examples import MAILBOX, inbound
from tests.services.inbox_api.office import Office

NUMBERS = ["-1", "0", "1", "1.5", "1e400", "NaN", str(2**62), str(2**63 - 1), str(2**63), "9" * 5000, "٣"]
TIMES = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-23:59", "0000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "2026-W47", "2500-01-01T00:00:00Z", "2026-11-21T14:05:00",
]  # fmt: skip
TEXTS = ["", " ", "x", "\0", "a\0b", "привет", "\U0001f600", "../..", "' OR 1=1 --", '"', "*", "%", ",,,,", "x" * 5000]
IDS = [str(uuid4()), f"{{{uuid4()}}}", "urn:uuid:0"]
WORDS = [*NUMBERS, *TIMES, *TEXTS, *IDS, f"{TIMES[0]}_{IDS[0]}", "MessageReceived", "name=name", "happened"]
BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"NaN", b"1e400", b"\xff", b"\xef\xbb\xbf{}", b"{}{}", b"[" * 100_000, b"\0",
    b'{"text":"\\ud800"}', b'{"id":1,"id":2}', b" " * (1024 * 1024 + 1), "{}".encode("utf-16"),
]  # fmt: skip
VALUES = [
    *map(
        json.dumps,
        [None, True, -1, 2**63, 2**64, 1.5, [], {}, [None], ["x"] * 300, {"\0": 1}, *TIMES[:4], *TEXTS[1::2]],
    )
]
VALUES += ["NaN", "1e400", "9" * 5000, '"\\ud800"', '["\\ud800"]', json.dumps("x" * 70_000)]
GOOD: dict[str, Any] = {
    "due_at": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "at": None, "type": "text", "state": "given",
    "channel": "email", "kind": "customer", "changes": [{"field": "name", "after": "x"}], "to": None, "files": [],
    "url": "https://partner.example/", "days": None, "markup": "plain", "position": 0, "after": 0, "quotes": None,
}  # fmt: skip


def places(office_ids: dict[str, str], address: Address | OpenAddress) -> str:
    """Return the path of an address with ids of what is there."""
    first = address.path.split("/")[1]
    path = address.path.replace("{id}", office_ids.get(first, office_ids["conversations"]))
    return path.replace("{message_id}", office_ids["message"]).replace("{position}", "1")


def asked(ids: dict[str, str], address: Address | OpenAddress) -> Iterator[tuple[str, bytes | None]]:
    """Yield paths with queries, and bodies."""
    path, empty = places(ids, address), None if address.method == "GET" else b"{}"
    if "{" in address.path:
        head, _, tail = address.path.partition("{")
        for word in [*NUMBERS, *TEXTS, *IDS]:
            yield f"{head}{quote(word, safe='')}{tail.partition('}')[2]}".replace("{message_id}", ids["message"]), empty
    for name in getattr(address, "query", ()):
        for word in WORDS if name != "wait" else NUMBERS[6:]:
            yield f"{path}?{name}={quote(word)}", empty
    if address.body is not None or address.method != "GET":
        yield from ((path, body) for body in BODIES)
    names = [field.encode_name for field in msgspec.structs.fields(address.body)] if address.body else []
    good = {name: {**GOOD, **ids}.get(name, "text") for name in names}
    for name in names:
        for value in VALUES:
            own = {"id": str(uuid4())} if "id" in good else {}
            yield path, json.dumps({**good, **own, name: "@@"}).replace('"@@"', value).encode()


async def ids_of(office: Office) -> dict[str, str]:
    file = FileRef(await office.blobs.put(b"a file"), 6, "a.txt", "text/plain")
    (message, other) = await office.receive(inbound("one", files=(file,)), inbound("two", sender="boris@example.com"))
    customer, conversation = str(message.customer_id), str(message.conversation_id)
    return {
        "customers": customer, "conversations": conversation, "message": str(message.message_id),
        "attachments": str(attachment_id(message.message_id, 0)), "retention": str(MAILBOX), "customer_id": customer,
        "subject_id": customer, "into": str(other.conversation_id), "operator_id": str(office.olga.id),
        "operators": str(office.olga.id),
        "customer": str(other.customer_id), "confirm": str(other.customer_id), "conversation_id": conversation,
    }  # fmt: skip


def fault_of(answer: httpx.Response) -> str | None:
    """Return what is wrong with an answer, None for nothing."""
    if answer.status_code >= 500:
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
        return f"a refusal as {answer.headers['content-type']}"
    return None


@pytest.mark.parametrize("group", sorted({address.path.split("/")[1] for address in (*SIGNED_IN, *OPEN)} - {"stream"}))
async def test_whatever_is_sent_is_answered(office: Office, group: str) -> None:
    ids, token = await ids_of(office), await office.token_of("boss@okno.example", "admin")
    office.client.headers["Authorization"] = f"Bearer {token}"
    faults: list[tuple[str, str, bytes, str]] = []
    for address in (*SIGNED_IN, *OPEN):
        if address.path.split("/")[1] != group or address.path in ("/session", "/reports/chain/verify"):
            continue
        for path, body in asked(ids, address):
            answer = await office.client.request(address.method, f"/api/v1{path}", content=body)
            if fault := fault_of(answer):
                faults.append((address.method, path[:100], (body or b"")[:100], fault))
    assert faults == []
