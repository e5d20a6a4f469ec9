"""A next step: given events, when a command, then events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from uuid import UUID

import pytest

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.next_step import NONE, NOTE_LIMIT, WHAT_LIMIT, decide, evolve
from tests.examples import AT, CONVERSATION, CUSTOMER

STEP = UUID(int=7)
HEAD = (STEP, CUSTOMER, CONVERSATION, "send the offer")
PLAN = c.PlanStep(*HEAD, AT, UUID(int=1), "by mail")
PLANNED = e.StepPlanned(*HEAD, AT, UUID(int=1), "by mail")
LATER = AT + timedelta(days=1)


def when(past: Sequence[e.StepEvent], command: c.StepCommand) -> list[e.StepEvent]:
    return decide(command, reduce(evolve, past, NONE))


def test_a_step_is_planned_once() -> None:
    assert when([], PLAN) == [PLANNED]
    assert when([PLANNED], PLAN) == when([PLANNED, e.StepDone(*HEAD)], PLAN) == []


def test_a_step_ends_as_done_or_declined_and_stays_so() -> None:
    done, declined = e.StepDone(*HEAD, "sent"), e.StepDeclined(*HEAD, "no need")
    assert when([PLANNED], c.EndStep("done", "sent")) == [done]
    assert when([PLANNED], c.EndStep("declined", "no need")) == [declined]
    assert when([PLANNED, done], c.EndStep("done", "again")) == []
    for past, command in (([PLANNED, done], c.EndStep("declined")), ([PLANNED, declined], c.PostponeStep(LATER))):
        with pytest.raises(Refused):
            when(past, command)


def test_a_step_is_postponed() -> None:
    postponed = e.StepPostponed(*HEAD, LATER)
    assert when([PLANNED], c.PostponeStep(LATER)) == [postponed]
    assert when([PLANNED, postponed], c.PostponeStep(LATER)) == when([PLANNED], c.PostponeStep(AT)) == []


@pytest.mark.parametrize("what", ["", "  ", "x" * (WHAT_LIMIT + 1)])
def test_a_step_without_words_or_with_too_many_is_refused(what: str) -> None:
    with pytest.raises(Refused):
        when([], c.PlanStep(STEP, CUSTOMER, None, what, AT))
    with pytest.raises(Refused):
        when([PLANNED], c.EndStep("done", "x" * (NOTE_LIMIT + 1)))


def test_a_step_that_was_never_planned_takes_no_command() -> None:
    for command in (c.EndStep("done"), c.PostponeStep(AT)):
        with pytest.raises(NoSuchThing):
            when([], command)
