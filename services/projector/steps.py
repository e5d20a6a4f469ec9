"""Call-backs: a missed call plans one, and it ends by itself once somebody has reached the client or the client us.

Who are merged are one client: words of any of them end it. Un-merging does not bring it back: they were reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.projector.reached import was_reached
from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.next_step import CALL_BACK, call_back, call_back_id, reached
from shared.event_store.groups import Groups, group_of, groups_of
from shared.event_store.mapper import About
from shared.event_store.routing import call_backs
from shared.event_store.session import Session

CALL_BACK_WITHIN = timedelta(minutes=15)
AT_ONCE = 1000
"""So many open call-backs are looked at for a whole batch; of more, each customer's own are looked up."""
Waiting = list[tuple[UUID, UUID, str]]


@dataclass(frozen=True, slots=True)
class Steps:
    """The open call-backs as a batch begins; `groups`: who are one person with those who wait for one."""

    session: Session
    tx: Transaction
    waiting: Waiting
    groups: Groups

    def follow(
        self,
        message: e.MessageReceived,
        decided: Sequence[e.ConversationEvent],
        about: About,
        arrived_at: datetime | None = None,
    ) -> None:
        """Plan and end call-backs by what a message has led to; nothing for one that led to nothing.

        `arrived_at`: when the channel had it, which counts more than the clock of whoever wrote it.
        """
        if message.call is None and not self.waiting and not self.session.entries.call_backs:
            return
        calls = [event.call for event in decided if isinstance(event, e.MessageReceived | e.CallProgressed)]
        if not calls:
            return
        call = calls[-1]
        if reached(message, call):
            self._end(message, about, arrived_at or about.occurred_at)
        elif call is not None and call_back(call):
            heard = arrived_at or about.occurred_at  # an end that the provider's clock puts after it is not believed
            self.plan(message, min(call.ended_at or heard, heard), about)

    def plan(self, call: e.MessageReceived | e.CallProgressed, missed_at: datetime, about: About) -> None:
        """One step is enough however often the client has tried, and none once they were reached after it."""
        if self._of(call.customer_id) or was_reached(self.session, self.tx, call.customer_id, missed_at):
            return
        state = self.session.conversation(call.conversation_id).state
        step_id, due_at = call_back_id(call.message_id), about.occurred_at + CALL_BACK_WITHIN
        head = (step_id, call.customer_id, call.conversation_id, CALL_BACK)
        self.session.decide_step(step_id, c.PlanStep(*head, due_at, state.assignee), _by_itself(about))
        self.groups.update(groups_of(self.session, self.tx, [call.customer_id]))

    def _end(self, message: e.MessageReceived, about: About, said_at: datetime) -> None:
        """What was said before the call was missed, and came late, ends nothing."""
        for step_id, since in [step for id_ in self._group(message.customer_id) for step in self._of(id_)]:
            if since <= to_text(said_at) or step_id == call_back_id(message.message_id):
                self.session.decide_step(step_id, c.EndStep("done"), _by_itself(about))

    def _group(self, customer_id: UUID) -> list[UUID]:
        if len(self.waiting) < AT_ONCE:
            return self.groups.get(customer_id, [customer_id])
        return group_of(self.session, self.tx, customer_id)

    def _of(self, customer_id: UUID) -> list[tuple[UUID, str]]:
        known = self.waiting if len(self.waiting) < AT_ONCE else call_backs(self.tx, customer_id)
        found = {step: since for customer, step, since in known if customer == customer_id}
        found |= {
            s: since for s, (customer, since) in self.session.entries.call_backs.items() if customer == customer_id
        }
        ended = {step for _, step in self.session.entries.ended}
        return [(step, since) for step, since in found.items() if step not in ended]


def steps_of(session: Session, tx: Transaction) -> Steps:
    """Return the call-backs that a batch begins with."""
    waiting = call_backs(tx, limit=AT_ONCE)
    return Steps(session, tx, waiting, groups_of(session, tx, [customer for customer, _, _ in waiting]))


def plan_call_back(
    session: Session, tx: Transaction, event: e.CallProgressed, missed_at: datetime, about: About
) -> None:
    """Plan what a call that turned out to be missed leaves to be done."""
    if call_back(event.call):
        steps_of(session, tx).plan(event, missed_at, about)


def _by_itself(about: About) -> About:
    return About(about.occurred_at, e.Actor("system"), about.cause)
