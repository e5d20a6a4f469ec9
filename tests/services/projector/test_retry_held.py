"""What was understood and stands in the quarantine all the same is read again by hand as it was read at first."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from services.ingest.understand import Parse, Understood, understand
from services.projector import inbound as intake
from services.projector import relay
from services.projector.held import WAITS
from shared.blobs import Blobs
from shared.channels.telephony.parse import parse
from shared.channels.web_form.parse import parse as parse_form
from shared.connector import Channel, load
from shared.contracts import codec
from shared.contracts.inbound import InboundMessage
from shared.contracts.retry import RetryUnreadable
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store.store import EventStore
from shared.parsed import RawItem
from tests.channels.telephony.flows import MANGO
from tests.examples import AT
from tests.services.projector.test_held import seen, take

OLGA = e.Actor("operator", str(UUID(int=7)), "Olga")
FORM = "application/x-www-form-urlencoded"


def mango(kind: str, **event: Any) -> RawItem:
    """One webhook as ingest keeps it."""
    body = urlencode({"json": json.dumps({"entry_id": "E1", **event})}).encode()
    return RawItem(body, FORM, AT, f"key of {kind}", {"provider": "mango", "event": f"events/{kind}"})


RECORDING = mango("record/added", recording_id="R1", timestamp=1763717400)
FROM_ANNA = {"call_id": "L1", "seq": 1, "from": {"number": "79161234567"}, "to": {"line_number": "74951234567"}}
RINGING = mango("call", call_state="Appeared", timestamp=1763717390, **FROM_ANNA)


async def read(item: RawItem, blobs: Blobs, channel: Channel = MANGO, by: Parse = parse) -> Understood:
    return await understand(item, channel, by, blobs)


async def retried(store: EventStore, database: Database, item_id: UUID, blobs: Blobs, **read: Any) -> Understood:
    """Ask for it by hand; return what ingest makes of what the relay brings it."""
    handled = await store.handle_quarantine(item_id, c.RetryQuarantined(), OLGA)
    assert [type(each.event) for each in handled.happenings] == [e.QuarantineRetried]
    (event,) = [r for r in store.recent(0, 1000) or [] if isinstance(r.event, e.QuarantineRetried)][-1:]
    _, record = await database.read(partial(relay._retry, recorded=event))
    asked = codec.decode(record.value, dict(record.headers))
    assert isinstance(asked, RetryUnreadable)
    raw = asked.item.raw.data
    assert raw is not None
    item = RawItem(raw, asked.item.raw.media_type, AT, asked.item.external_id, asked.item.context)
    return await understand(item, read.get("channel", MANGO), read.get("by", parse), blobs, asked.item.id)


async def test_a_held_report_that_is_retried_goes_on_waiting_and_then_joins_its_call_once(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    blobs = Blobs(tmp_path)
    recording = await read(RECORDING, blobs)
    await take(store, recording)
    again = await retried(store, database, recording.id, blobs)
    assert again == recording
    await take(store, again)
    assert await seen(database) == {"customers": [], "calls": [], "waiting": [WAITS]}
    await take(store, await retried(store, database, recording.id, blobs), await read(RINGING, blobs))
    after = await seen(database)
    assert (after["customers"], after["waiting"]) == (["+79161234567"], [])
    ((call, files),) = after["calls"]
    assert (call["state"], call["recording"], files) == ("ringing", True, [("recording.mp3", None)])
    with pytest.raises(Refused, match="understood already"):
        await store.handle_quarantine(recording.id, c.RetryQuarantined(), OLGA)


async def test_a_report_whose_call_came_between_asking_and_reading_is_told_once(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    blobs = Blobs(tmp_path)
    recording = await read(RECORDING, blobs)
    await take(store, recording)
    again = await retried(store, database, recording.id, blobs)
    await take(store, await read(RINGING, blobs))
    before = await seen(database)
    assert await take(store, again) == []
    assert await seen(database) == before


async def test_what_the_rules_gave_up_is_read_again_with_all_that_came_beside_it(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    channel = Channel(UUID(int=5), "web_form", "Site", load("web_form").complete({}))
    body = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\nHello\r\n--x--\r\n'
    context = {"content_type": "multipart/form-data; boundary=x", "remote": "192.0.2.1"}
    form, blobs = RawItem(body, "multipart/form-data", AT, "form/1", context), Blobs(tmp_path)
    message = await read(form, blobs, channel, parse_form)
    await store.record(lambda session, tx: intake.give_up(session, message, "a bug"))
    again = await retried(store, database, message.id, blobs, channel=channel, by=parse_form)
    assert isinstance(again, InboundMessage)
    assert again == message
