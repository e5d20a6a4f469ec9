"""Who changed what on a card, when, and what it was before: read from the streams of its customers, which are short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain import card as domain
from shared.domain import events as e
from shared.domain.card_values import shown
from shared.domain.own_fields import OWN, OwnField
from shared.event_store.cards import own_fields_of
from shared.event_store.log_streams import read_streams
from shared.read_models import groups
from shared.read_models.cards import consent_fields

Body = dict[str, Any]


def page(tx: Transaction, customer_id: UUID, field: str | None, before: int | None, limit: int) -> list[Body]:
    """Return changes of a card, of one field or of all, the newest first; `before`: a position of an earlier page.

    Of a group they are those of all its members; `customer_id` says on whose card each was made.
    All changes of one event stand on one page, which may so be longer than `limit`.
    """
    types = _types(own_fields_of(tx))
    found: list[Body] = []
    for recorded in reversed(read_streams(tx, [UUID(id_) for id_ in groups.members(tx, customer_id)])):
        if before is not None and recorded.position >= before:
            continue
        if len(found) >= limit:
            break
        head = _head(recorded)
        changes = [head | change for change in _changes(recorded.event, types)]
        found += [change for change in changes if field in (None, change["field"])]
    return found


def _types(own: dict[str, OwnField]) -> dict[str, str]:
    return {**domain.FIELDS, **{OWN + field.key: field.type for field in own.values()}}


def _head(recorded: e.Recorded) -> Body:
    actor, event = recorded.actor, recorded.event
    import_id = getattr(event, "import_id", None)
    return {
        "at": to_text(recorded.recorded_at),
        "by": {"kind": actor.kind, "id": actor.id or None, "name": actor.name or None},
        "import_id": str(import_id) if import_id else None,
        "undone": getattr(event, "undone", False),
        "customer_id": str(recorded.stream_id),
        "position": recorded.position,
        **({"erased": True} if recorded.erased else {}),
    }


def _changes(event: e.Event, types: dict[str, str]) -> Iterator[Body]:
    match event:
        case e.CustomerRegistered() if event.name:
            yield {"field": "name", "before": None, "after": event.name}
        case e.CardChanged():
            for each in event.changes:
                type_ = types.get(each.field, "text")
                yield {"field": each.field, "before": shown(type_, each.before), "after": shown(type_, each.after)}
        case e.ConsentGiven() | e.ConsentWithdrawn():
            before = _consent(event.before) if event.before else None
            yield {"field": f"consent.{event.channel}", "before": before, "after": consent_fields(event)}


def _consent(said: e.Consent) -> Body:
    return {"state": said.state, "text": said.text, "at": to_text(said.at), "how": said.how}
