"""Histories as in `histories`, with messages moved, originals that come after their edits, and late items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID, uuid5

from hypothesis import strategies as st

from shared.domain import commands as c
from shared.domain import conversation as conversations
from shared.domain import events as e
from shared.domain.merge import Merged, merge, unmerge
from tests.examples import MAILBOX, OLGA, SYSTEM
from tests.read_models.histories import KINDS, History

MORE = ("merge", "unmerge", "card", "go_on", "alone", "move", "move", "edit_ahead", "original", "late", "early")
lives = st.lists(
    st.tuples(st.sampled_from((*KINDS, *MORE, "message", "reply")), st.integers(0, 3), st.integers(0, 5)),
    min_size=5,
    max_size=45,
)


@dataclass
class Life(History):
    """Late items happened up to an hour before they were recorded, early ones an hour after."""

    apart: timedelta = timedelta()
    ahead: dict[UUID, UUID] = field(default_factory=dict)
    """By conversation: the message whose new version came before it."""
    into: dict[UUID, Merged] = field(default_factory=dict)
    """By customer: whom they are merged into."""

    def do(self, kind: str, which: int, number: int) -> None:
        """Take a step of these kinds too."""
        self.apart = timedelta(minutes=7 * (number + 1)) * {"late": -1, "early": 1}.get(kind, 0)
        super().do({"late": "message", "early": "message"}.get(kind, kind), which, number)

    def _command(self, kind: str, which: int, number: int) -> None:
        if kind == "move":
            self._move(which, number)
        elif kind in ("merge", "unmerge", "card"):
            self._of_customers(kind, which % 2, number)
        else:
            super()._command(kind, which, number)

    def _of_customers(self, kind: str, which: int, number: int) -> None:
        one, other = (uuid5(MAILBOX, f"customer {n}") for n in (which, 1 - which))
        if not {one, other} <= set(self.versions):
            return
        events: Sequence[e.MergeEvent | e.CardChanged]
        if kind == "card":
            events = [e.CardChanged(one, (e.FieldChange("name", (), (f"Имя {number}",)),))]
        elif kind == "merge":
            events = merge(one, other, self.into.get, uuid5(one, f"merge {len(self.events)}"))
        else:
            events = unmerge(other, one, self.into.get)
        for event in events:
            if isinstance(event, e.CustomersMerged):
                self.into[one] = Merged(event.into_id, event.merge_id)
            elif isinstance(event, e.CustomerUnmerged):
                del self.into[one]
            self._record(event.customer_id, event, OLGA)

    def _wanted(
        self, kind: str, id_: UUID, customer: UUID, number: int, state: conversations.Conversation
    ) -> c.ConversationCommand:
        fresh = uuid5(id_, f"{kind} {len(self.events)}")
        if kind == "edit_ahead":
            self.ahead[id_] = fresh
            anna = e.Address("email", "anna@example.com", "Анна")
            edit = e.MessageEdited(id_, customer, fresh, fresh, MAILBOX, "7", anna, "version", "", "", (), known=False)
            return c.Tell(edit, e.ConversationOpened(id_, customer, MAILBOX, "email", "", "told alone"))
        if kind == "original":
            message = replace(
                self._message("message", id_, customer, number, fresh), message_id=self.ahead.get(id_, fresh)
            )
            return c.ReceiveMessage(message, "first message of a thread")
        if kind == "go_on":
            into = uuid5(MAILBOX, f"conversation {number % 4}")
            return c.MergeInto(into, uuid5(MAILBOX, f"customer {number % 4 // 2}"), ())
        if kind == "alone":
            return c.GoOnAlone()
        return super()._wanted(kind, id_, customer, number, state)

    def _move(self, which: int, number: int) -> None:
        source, target = (uuid5(MAILBOX, f"conversation {n % 4}") for n in (which, number))
        inbound = [
            r.event for r in self.events
            if isinstance(r.event, e.MessageReceived) and r.event.kind == "text" and r.event.direction == "inbound"
            and self._place(r.event) == source
        ]  # fmt: skip
        if source == target or target not in self.states or not inbound:
            return
        message, at = inbound[number % len(inbound)], self._now()
        customer = uuid5(MAILBOX, f"customer {number % 4 // 2}")
        taken = replace(message, conversation_id=target, customer_id=customer, text=message.text[:40])
        away = c.MoveAway(message.message_id, target, customer, at, (), None, None)
        for stream, command in ((source, away), (target, c.TakeIn(taken, source, at))):
            state = self.states[stream]
            for event in conversations.decide(command, state):
                self._record(stream, event, OLGA)
                state = conversations.evolve(state, event)
            self.states[stream] = state

    def _place(self, message: e.MessageReceived) -> UUID:
        adopted = [
            r.event.conversation_id for r in self.events
            if isinstance(r.event, e.MessageAdopted) and r.event.message.message_id == message.message_id
        ]  # fmt: skip
        return adopted[-1] if adopted else message.conversation_id

    def _record(self, stream: UUID, event: e.Event, actor: e.Actor) -> None:
        super()._record(stream, event, actor)
        if actor == SYSTEM and self.apart:
            self.events[-1] = replace(self.events[-1], occurred_at=self.events[-1].occurred_at + self.apart)


def life(steps: list[tuple[str, int, int]]) -> list[e.Recorded]:
    """Return the events of these steps, at positions 1, 2, 3..."""
    lived = Life()
    for step in steps:
        lived.do(*step)
    return lived.events
