"""A customer's past: the timeline as it stood at a moment, by what we knew then (recorded_at)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.inbox_api.channel_names import Body, with_channels
from shared.database.protocol import Transaction
from shared.domain.events import MessageAdopted
from shared.event_store.log import read_streams
from shared.event_store.merging import ever_together
from shared.read_models import conversations, steps, timeline
from shared.read_models.past import tables_of


def timeline_as_of(tx: Transaction, customer_id: UUID, at: datetime, page: timeline.Page) -> list[Body]:
    """Return a page of the timeline as an operator saw it at that moment."""
    streams: list[UUID] = []
    for member in ever_together(tx, customer_id):
        streams += [member, *conversations.ids_of_customer(tx, member), *steps.ids_of_customer(tx, member)]
    events = read_streams(tx, streams, recorded_until=at)
    origins = {r.event.from_conversation_id for r in events if isinstance(r.event, MessageAdopted)}
    if elsewhere := origins - set(streams):
        events = read_streams(tx, [*streams, *elsewhere], recorded_until=at)
    with tables_of(events) as past:
        return with_channels(tx, timeline.of_customer(past, customer_id, page))
