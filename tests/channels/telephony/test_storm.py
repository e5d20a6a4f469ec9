"""The storm of the benchmark in small: every webhook three times and out of order, each call right, none doubled."""

from __future__ import annotations

from pathlib import Path

from services.ingest.understand import understand
from services.projector import inbound
from shared.blobs import Blobs
from shared.channels.telephony.parse import parse
from shared.channels.telephony.webhook import Webhook
from shared.contracts.inbound import InboundMessage
from shared.database.open import open_database
from shared.domain import events as e
from shared.read_models.entries import call_fields
from tests.benchmarks.storm import API_KEY, API_SALT, expected, storm
from tests.benchmarks.telephony import shown
from tests.channels.telephony.flows import FORM, admitted
from tests.channels.telephony.phone import AT, channel
from tests.services.projector.running import events
from tests.stores import create_all_tables

CALLS, CLIENTS, BATCH = 60, 15, 50
PHONE = channel("mango", api_key=API_KEY, api_salt=API_SALT)


async def test_a_storm_of_webhooks_leaves_every_call_right_and_once(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'okno.db'}")
    store, blobs = create_all_tables(database), Blobs(tmp_path / "blobs")
    messages = []
    for webhook in storm(CALLS, CLIENTS):
        item = admitted(Webhook(FORM, webhook.body, AT, event=webhook.path), PHONE)
        understood = await understand(item, PHONE, parse, blobs)
        assert isinstance(understood, InboundMessage)
        messages.append(understood)
    for start in range(0, len(messages), BATCH):
        batch = messages[start : start + BATCH]
        await store.record(lambda session, tx, batch=batch: inbound.receive(session, tx, batch))  # type: ignore[misc]
    recorded = [each.event for each in await events(database)]
    await database.close()
    opened = {event.message_id: event for event in recorded if isinstance(event, e.MessageReceived)}
    last = {id_: event.call for id_, event in opened.items()}
    last |= {event.message_id: event.call for event in recorded if isinstance(event, e.CallProgressed)}
    assert sum(isinstance(event, e.MessageReceived) for event in recorded) == CALLS
    entries = [
        {"external_id": opened[id_].external_id, "call": call_fields(call)} for id_, call in last.items() if call
    ]
    assert dict(shown(entry) for entry in entries) == expected(CALLS, CLIENTS)
