"""The list of what is due, on both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Database, Transaction
from shared.domain import commands as c
from shared.event_store.store import EventStore
from shared.read_models import steps
from tests.examples import AT, CUSTOMER, OLGA
from tests.read_models.contents import show


async def test_steps_come_by_their_due_time_page_by_page_and_are_counted(database: Database, store: EventStore) -> None:
    olga = UUID(OLGA.id)
    for number, hours in enumerate((5, -3, 30, 5, -9)):
        due = AT + timedelta(hours=hours)
        command = c.PlanStep(UUID(int=number), CUSTOMER, None, str(hours), due, olga if hours == 5 else None)
        await store.handle_step(UUID(int=number), command, OLGA)
    await show(database)

    def read(tx: Transaction) -> object:
        everybodys, hers = steps.Wanted(), steps.Wanted(operator_id=olga)
        first = steps.by_due(tx, everybodys, None, 3)
        rest = steps.by_due(tx, everybodys, steps.Due(first[-1]["due_at"], first[-1]["id"]), 3)
        times = to_text(AT), to_text(AT + timedelta(hours=12))
        listed = [[step["what"] for step in page] for page in (first, rest, steps.by_due(tx, hers, None, 9))]
        return listed, steps.counts(tx, everybodys, *times), steps.counts(tx, hers, *times)

    assert await database.read(read) == (
        [["-9", "-3", "5"], ["5", "30"], ["5", "5"]],
        {"overdue": 2, "today": 2, "later": 1},
        {"overdue": 0, "today": 2, "later": 0},
    )
