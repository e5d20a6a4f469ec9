"""What is due with a customer, when, by whom: planned, postponed, and ended as done or declined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never
from uuid import UUID, uuid5

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused

WHAT_LIMIT = 200
NOTE_LIMIT = 10_000
CALL_BACK = "call_back"
"""The step that a missed call plans, and that ends by itself once the client was reached."""


@dataclass(frozen=True, slots=True)
class Step:
    """The state that decisions need; `planned` is how it began, with the time it is due at now."""

    state: Literal["none", "planned", "done", "declined"] = "none"
    planned: e.StepPlanned | None = None


NONE = Step()


def decide(command: c.StepCommand, step: Step) -> list[e.StepEvent]:
    """Return what happens. Raises Refused; planning the same step twice is one step."""
    if isinstance(command, c.PlanStep):
        return _plan(command, step)
    if step.planned is None:
        raise NoSuchThing("no_such_step", "There is no such step")
    head = (step.planned.step_id, step.planned.customer_id, step.planned.conversation_id, step.planned.what)
    match command:
        case c.EndStep(how, note):
            if step.state == how:
                return []
            _refuse_ended(step)
            _check_note(note)
            return [e.StepDone(*head, note) if how == "done" else e.StepDeclined(*head, note)]
        case c.PostponeStep(due_at):
            _refuse_ended(step)
            return [] if due_at == step.planned.due_at else [e.StepPostponed(*head, due_at)]
    assert_never(command)


def _plan(command: c.PlanStep, step: Step) -> list[e.StepEvent]:
    if step.state != "none":
        return []
    if not command.what.strip() or len(command.what) > WHAT_LIMIT:
        raise Refused("bad_step", f"What is to be done has 1 to {WHAT_LIMIT} characters")
    _check_note(command.note)
    head = (command.step_id, command.customer_id, command.conversation_id, command.what.strip())
    return [e.StepPlanned(*head, command.due_at, command.operator_id, command.note)]


def _refuse_ended(step: Step) -> None:
    if step.state != "planned":
        raise Refused("ended_already", f"The step is {step.state} already")


def _check_note(note: str) -> None:
    if len(note) > NOTE_LIMIT:
        raise Refused("text_too_long", f"The note is longer than {NOTE_LIMIT} characters")


def evolve(step: Step, event: e.StepEvent) -> Step:
    """Return the state after one event."""
    match event:
        case e.StepPlanned():
            return Step("planned", event)
        case e.StepDone():
            return replace(step, state="done")
        case e.StepDeclined():
            return replace(step, state="declined")
        case e.StepPostponed():
            return replace(step, planned=replace(step.planned, due_at=event.due_at) if step.planned else None)
    assert_never(event)


def call_back(call: e.Call | None) -> bool:
    """Whether a call leaves somebody to be called back: who withheld the number cannot be."""
    return call is not None and call.direction == "inbound" and call.state == "missed" and bool(call.from_)


def reached(message: e.MessageReceived, call: e.Call | None) -> bool:
    """Whether we and the client have reached each other: by a call that was taken, or by their own words."""
    return message.waits if call is None else taken(call)


def taken(call: e.Call) -> bool:
    """Whether somebody on the other side took a call."""
    return call.state == "answered" or (call.state == "finished" and call.talking_seconds != 0)


def call_back_id(message_id: UUID) -> UUID:
    """Return the id of the step that a missed call plans: the same in every process."""
    return uuid5(message_id, CALL_BACK)
