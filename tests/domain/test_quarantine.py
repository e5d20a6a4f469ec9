"""An item nobody could understand: given its state, when a command, then events."""

from __future__ import annotations

import pytest

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.quarantine import State, decide, evolve
from tests.examples import CONVERSATION, MAILBOX, MESSAGE, RAW

ITEM = e.InboundQuarantined(MESSAGE, MAILBOX, "email", "7.1", "no headers", RAW)


def test_an_item_is_quarantined_once() -> None:
    assert decide(c.Quarantine(ITEM), "none", None) == [ITEM]
    assert decide(c.Quarantine(ITEM), "waiting", ITEM) == []
    assert decide(c.Quarantine(ITEM), "resolved", ITEM) == []


def test_an_item_that_was_read_again_in_vain_waits_again() -> None:
    assert decide(c.Quarantine(ITEM), "retrying", ITEM) == [ITEM]


def test_a_retry_is_asked_for_once() -> None:
    assert decide(c.RetryQuarantined(), "waiting", ITEM) == [e.QuarantineRetried(MESSAGE)]
    assert decide(c.RetryQuarantined(), "retrying", ITEM) == []
    with pytest.raises(Refused) as refused:
        decide(c.RetryQuarantined(), "resolved", ITEM)
    assert refused.value.code == "resolved_already"
    with pytest.raises(NoSuchThing):
        decide(c.RetryQuarantined(), "none", None)


@pytest.mark.parametrize("state", ["waiting", "retrying"])
def test_an_item_that_was_understood_is_resolved_once(state: State) -> None:
    command = c.ResolveQuarantined(CONVERSATION)
    assert decide(command, state, ITEM) == [e.QuarantineResolved(MESSAGE, CONVERSATION)]
    assert decide(command, "resolved", ITEM) == decide(command, "none", None) == []


def test_each_event_leads_to_its_state() -> None:
    assert evolve("none", ITEM) == "waiting"
    assert evolve("waiting", e.QuarantineRetried(MESSAGE)) == "retrying"
    assert evolve("retrying", e.QuarantineResolved(MESSAGE, CONVERSATION)) == "resolved"
