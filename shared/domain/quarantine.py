"""One inbound item that nobody could understand: kept, retried, resolved."""

from __future__ import annotations

from typing import Literal, assert_never

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused

State = Literal["none", "waiting", "retrying", "resolved"]


def decide(command: c.QuarantineCommand, state: State, item: e.InboundQuarantined | None) -> list[e.QuarantineEvent]:
    """Return what happens; `item` is what was quarantined last. Raises Refused."""
    match command:
        case c.Quarantine():
            return _quarantine(command, state, item)
        case c.RetryQuarantined():
            if item is None:
                raise NoSuchThing("no_such_item", "There is no such item in the quarantine")
            if state == "resolved":
                raise Refused("resolved_already", "This item has been understood already")
            return [e.QuarantineRetried(item.item_id)] if state == "waiting" else []
        case c.ResolveQuarantined():
            if item is None or state == "resolved":
                return []
            return [e.QuarantineResolved(item.item_id, command.conversation_id)]
    assert_never(command)


def _quarantine(command: c.Quarantine, state: State, item: e.InboundQuarantined | None) -> list[e.QuarantineEvent]:
    """The same item again is a duplicate, unless somebody asked to read it again."""
    return [command.item] if item is None or state == "retrying" else []


def evolve(state: State, event: e.QuarantineEvent) -> State:
    """Return the state after one event."""
    match event:
        case e.InboundQuarantined():
            return "waiting"
        case e.QuarantineRetried():
            return "retrying"
        case e.QuarantineResolved():
            return "resolved"
    assert_never(event)
