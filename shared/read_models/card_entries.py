"""What a timeline shows of a customer's card: changes, consents, and that an import brought or took the customer."""

from __future__ import annotations

from typing import Any, assert_never

from shared.clock import to_text
from shared.domain import events as e

BRIEF = 200
"""Characters of one value in the text of an entry; the whole stands in its `changes`."""


def card_entry(event: e.CardEvent) -> tuple[str, str, dict[str, Any]]:
    """Return the kind of an entry, its text, and the fields that only this kind has."""
    match event:
        case e.CardChanged():
            return "card", _text(event), change_fields(event)
        case e.ConsentGiven() | e.ConsentWithdrawn():
            state = "given" if isinstance(event, e.ConsentGiven) else "withdrawn"
            said = {"for": event.channel, "state": state, "shown": event.text, "at": to_text(event.at)}
            return "consent", f"{event.channel}: {state}", {"consent": {**said, "how": event.how}}
        case e.CustomerRetired():
            return "retired", "", {"import_id": str(event.import_id)}
        case e.CustomerRestored():
            return "restored", "", {"import_id": str(event.import_id)}
    assert_never(event)


def change_fields(event: e.CardChanged) -> dict[str, Any]:
    """Return what was changed as the API shows it; values are lists of texts, as they are stored."""
    changes = [{"field": each.field, "before": list(each.before), "after": list(each.after)} for each in event.changes]
    import_id = str(event.import_id) if event.import_id else None
    return {"changes": changes, "import_id": import_id, "row": event.row or None, "undone": event.undone}


def _text(event: e.CardChanged) -> str:
    return "; ".join(f"{each.field}: {', '.join(each.after)[:BRIEF]}" for each in event.changes)
