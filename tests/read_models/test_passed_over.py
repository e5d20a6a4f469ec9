"""Any event may be one that cannot be read: it is missing, whatever can be read of the others is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.domain import events as e
from shared.domain.unreadable import Unreadable
from shared.read_models import conversations, customers, live, timeline
from shared.read_models.timeline_pages import Page
from tests.read_models.contents import contents, empty_tables
from tests.read_models.histories import KINDS
from tests.read_models.lived import MORE, life

STEPS = [("message", 0, 1), ("message", 1, 2), ("message", 2, 3), *((kind, 0, 2) for kind in (*KINDS, *MORE)),
         *((kind, 1, 4) for kind in (*MORE, *KINDS)), ("reply", 0, 1), ("late", 1, 1), ("message", 2, 5)]  # fmt: skip


AT_ONCE = 20


def passed_over(recorded: e.Recorded) -> e.Recorded:
    nothing: Any = Unreadable(type(recorded.event).__name__, "its bytes were changed")
    return replace(recorded, event=nothing, cause=None)


def test_whichever_event_cannot_be_read_the_others_are_shown() -> None:
    events = life(STEPS)
    assert len(events) > 60
    for hole in range(len(events)):
        shown = [*events[:hole], passed_over(events[hole]), *events[hole + 1 :]]
        with empty_tables() as tx:
            for start in range(0, len(shown), AT_ONCE):
                for model in live.models().values():
                    model.apply(tx, shown[start : start + AT_ONCE], "")
            said = {r.event.text for r in shown if isinstance(r.event, e.MessageReceived)}
            for customer in customers.page(tx, None, 100):
                timeline.of_customer(tx, UUID(customer["id"]), Page(limit=100))
            texts = "".join(map(repr, contents(tx)["timeline"]))
            assert all(text in texts for text in said)
            every = {r.event.conversation_id for r in shown if isinstance(r.event, e.MessageReceived)}
            assert every <= {UUID(body["id"]) for body in conversations.every_one(tx)}, events[hole]
