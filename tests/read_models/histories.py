"""Histories of a business as the log would have them: random steps, decided by the real rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import conversation as conversations
from shared.domain import events as e
from shared.domain import quarantine
from shared.domain.errors import Refused
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from tests.examples import AT, MAILBOX, OLGA, RAW, SYSTEM

Step = tuple[str, int, int]
"""What happens, to which of a few conversations, and a number that makes it vary."""
KINDS = (
    "message", "spam", "automatic", "edit", "delete", "react", "block", "unblock", "delivered", "bounced", "form",
    "ringing", "answered", "missed", "reply", "sent", "failed", "unknown", "retry", "note", "assign",
    "snooze", "wake", "close", "reopen", "tag", "quarantine", "retry_item", "resolve",
)  # fmt: skip
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 5)), max_size=60)


@dataclass
class History:
    """`events` grow by `do`. Conversation n belongs to customer n // 2."""

    events: list[e.Recorded] = field(default_factory=list)
    states: dict[UUID, conversations.Conversation] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    items: dict[UUID, tuple[quarantine.State, e.InboundQuarantined | None]] = field(default_factory=dict)

    def do(self, kind: str, which: int, number: int) -> None:
        """Take a step; one that the rules refuse changes nothing."""
        try:
            if kind in ("quarantine", "retry_item", "resolve"):
                self._quarantine(kind, uuid5(MAILBOX, f"item {which}"), number)
            else:
                self._command(kind, which, number)
        except Refused:
            return

    def _command(self, kind: str, which: int, number: int) -> None:
        id_, customer = uuid5(MAILBOX, f"conversation {which}"), uuid5(MAILBOX, f"customer {which // 2}")
        if customer not in self.versions:
            address = e.Address("email", f"client{which // 2}@example.com", "Клиент")
            self._record(customer, e.CustomerRegistered(customer, "Клиент", address), SYSTEM)
        state = self.states.get(id_, conversations.NEW)
        for event in conversations.decide(self._wanted(kind, id_, customer, number, state), state):
            self._record(id_, event, OLGA if kind in ("reply", "note", "assign", "close") else SYSTEM)
            state = conversations.evolve(state, event)
        self.states[id_] = state

    def _wanted(
        self, kind: str, id_: UUID, customer: UUID, number: int, state: conversations.Conversation
    ) -> c.ConversationCommand:
        fresh, now = uuid5(id_, f"{kind} {len(self.events)}"), self._now()
        reply = next(iter(state.replies), fresh)
        match kind:
            case "message" | "spam" | "automatic" | "form" | "ringing" | "answered" | "missed":
                return c.ReceiveMessage(self._message(kind, id_, customer, number, fresh), "first message of a thread")
            case "reply":
                files = (e.File("cd" * 32, 5, "счёт.pdf", "application/pdf"),) * (number % 3)
                return c.RequestReply(fresh, f"answer {number}", files)
            case "sent" | "failed" | "unknown":
                attempt = state.replies[reply].attempt if reply in state.replies else 1
                return c.RecordDelivery(reply, MAILBOX, attempt, kind, number, f"<{fresh}@okno>", (), "why")
            case "retry":
                return c.RetryReply(reply)
            case "delivered" | "bounced":
                if (reply := self._of(id_, e.ReplyRequested, fresh)) == fresh:
                    return c.Reopen()
                return c.RecordNotice(reply, 1, kind, "a@b", "5.1.1", "no such user")
            case "edit" | "delete" | "react" | "block" | "unblock":
                opening = e.ConversationOpened(id_, customer, MAILBOX, "email", "", "told alone")
                return c.Tell(self._told(kind, (id_, customer), number, fresh), opening)
            case "note":
                return c.AddNote(fresh, "note")
            case "assign":
                return c.Assign(fresh if number else None, "Olga" if number else "")
            case "snooze":
                return c.Snooze(now + timedelta(hours=number), now)
            case "wake":
                return c.EndSnooze(now + timedelta(hours=number))
            case "close":
                return c.Close()
            case "reopen":
                return c.Reopen()
        return c.Tag((f"tag {number}", "vip"), (f"tag {number - 1}",))

    def _of(self, id_: UUID, kind: type, fresh: UUID) -> UUID:
        """Return the last message or reply of a conversation."""
        found = [r.event for r in self.events if isinstance(r.event, kind) and r.event.conversation_id == id_]
        last: Any = found[-1] if found else None
        return fresh if last is None else last.reply_id if kind is e.ReplyRequested else last.message_id

    def _told(self, kind: str, head: tuple[UUID, UUID], number: int, fresh: UUID) -> e.Told:
        message_id = self._of(head[0], e.MessageReceived, fresh)
        known = message_id != fresh
        anna = e.Address("email", "anna@example.com", "Анна")
        match kind:
            case "edit":
                file = e.File("ef" * 32, 3, "b.txt", "text/plain")
                texts = (f"version {number}", "", "", (file,) * (number % 2))
                return e.MessageEdited(*head, message_id, fresh, MAILBOX, "7", anna, *texts, known)
            case "delete":
                return e.MessageDeleted(*head, message_id, MAILBOX, known)
            case "react":
                return e.MessageReacted(*head, message_id, MAILBOX, ("👍",) * (number % 3), known)
        return e.CustomerReachChanged(*head, MAILBOX, kind == "unblock", "blocked")

    def _message(self, kind: str, id_: UUID, customer: UUID, number: int, fresh: UUID) -> e.MessageReceived:
        call = e.Call(kind, "inbound", "1", "2") if kind in ("ringing", "answered", "missed") else None
        message = e.MessageReceived(
            id_, customer, fresh, MAILBOX, "email", f"<{fresh}@x>", "text", "inbound",
            e.Address("email", "anna@example.com", "Анна"), RAW, subject="Вопрос", text="слово  " * 40 * number,
            cannot_reply="no address" if number == 5 else "",
            files=(e.File("ab" * 32, 3, "a.txt", "text/plain"),) * (number % 2),
        )  # fmt: skip
        if call is not None:
            return replace(message, message_id=uuid5(id_, f"call {number}"), kind="call", call=call, text="")
        if kind in ("spam", "automatic"):
            return replace(message, nature=kind)  # type: ignore[arg-type]
        return replace(message, kind="form", fields=(("Имя", "Анна"),)) if kind == "form" else message

    def _quarantine(self, kind: str, item_id: UUID, number: int) -> None:
        state, item = self.items.get(item_id, ("none", None))
        wanted = {
            "quarantine": c.Quarantine(e.InboundQuarantined(item_id, MAILBOX, "email", "7.1", f"reason {number}", RAW)),
            "retry_item": c.RetryQuarantined(),
            "resolve": c.ResolveQuarantined(item_id),
        }
        for event in quarantine.decide(wanted[kind], state, item):
            self._record(item_id, event, SYSTEM)
            state = quarantine.evolve(state, event)
            item = event if isinstance(event, e.InboundQuarantined) else item
        self.items[item_id] = (state, item)

    def _record(self, stream: UUID, event: e.Event, actor: e.Actor) -> None:
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        now = self._now()
        occurred = now - timedelta(seconds=5)
        self.events.append(e.Recorded(len(self.events) + 1, stream, version, now, occurred, None, actor, event))

    def _now(self) -> datetime:
        return AT + timedelta(minutes=len(self.events))


def history(taken: list[Step]) -> list[e.Recorded]:
    """Return the events of these steps, at positions 1, 2, 3..."""
    made = History()
    for step in taken:
        made.do(*step)
    return made.events


def append(session: Session, tx: Transaction, events: list[e.Recorded]) -> None:
    """Decide to record these events as they are (`EventStore.record`)."""
    for recorded in events:
        about = About(recorded.occurred_at, recorded.actor, recorded.cause)
        session.append(recorded.stream_id, recorded.version, Happening(recorded.event, about))
