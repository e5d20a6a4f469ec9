"""What decisions about a conversation need to know of it; what is only shown lives in read models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.values import dataclass

TEXT_LIMIT = 100_000
"""Characters of one reply or note."""
RECIPIENT_LIMIT = 50
ADDRESS_LIMIT = 320
"""Characters (RFC 3696, section 3, erratum 1690: 254 of them is all that SMTP takes)."""
PARTICIPANT_LIMIT = 200
"""Of a conversation; a list of thousands in To makes nobody belong."""
THREAD_LIMIT = 20
"""External ids a reply refers to (RFC 5322 sets no limit; longer References break in old mail programs)."""


@dataclass(frozen=True, slots=True)
class Answerable:
    """The client's last message: what an answer answers, and where it goes."""

    message_id: UUID
    external_id: str
    to: e.Address
    channel_id: UUID
    cannot_reply: str
    subject: str
    thread_key: str
    recipients: tuple[str, ...] = ()
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that is not known to have reached the client."""

    state: Literal["queued", "failed", "unknown", "bounced"]
    attempt: int = 1
    action: e.ActionRequested | None = None
    """What is done instead of saying something."""
    lost: tuple[int, ...] = ()
    """Earlier attempts of unknown fate."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The state that decisions need; what is only shown lives in read models."""

    id: UUID | None = None
    customer_id: UUID | None = None
    status: Literal["new", "open", "snoozed", "closed"] = "new"
    snoozed_until: datetime | None = None
    assignee: UUID | None = None
    tags: frozenset[str] = frozenset()
    answerable: Answerable | None = None
    thread: tuple[str, ...] = ()
    replies: Mapping[UUID, Reply] = field(default_factory=dict)
    calls: Mapping[UUID, e.Call] = field(default_factory=dict)
    unreachable: str = ""
    """Why the client cannot be written to at present; empty when they can."""
    awaited: Mapping[tuple[UUID, str], UUID] = field(default_factory=dict)
    """Files on their way, by the item that named them and its name for them: the message each belongs to."""
    named_once: frozenset[tuple[UUID, str]] = frozenset()
    """Files of calls by the call, since several reports name the same recording."""
    participants: frozenset[tuple[str, str]] = frozenset()
    """Kind and address of everybody who has written here or was written to."""
    edited_ahead: frozenset[UUID] = frozenset()
    """Messages of which a new version came before themselves."""
    albums: frozenset[UUID] = frozenset()
    """Messages that consist of parts."""
    channel_id: UUID | None = None
    """The channel it was opened on."""
    merged: e.ConversationMerged | None = None
    """It goes on in another one."""


NEW = Conversation()


def with_message(
    state: Conversation,
    answerable: Answerable | None,
    thread: tuple[str, ...],
    participants: frozenset[tuple[str, str]],
) -> Conversation:
    """As `replace` would, in a quarter of its time: this is done for every message there is."""
    return Conversation(
        state.id,
        state.customer_id,
        state.status,
        state.snoozed_until,
        state.assignee,
        state.tags,
        answerable,
        thread,
        state.replies,
        state.calls,
        state.unreachable,
        state.awaited,
        state.named_once,
        participants,
        state.edited_ahead,
        state.albums,
        state.channel_id,
        state.merged,
    )


def joined_by(state: Conversation, addresses: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return who takes part once these do."""
    if state.participants.issuperset(addresses):
        return state.participants
    everybody = state.participants.union(addresses)
    return everybody if len(everybody) <= PARTICIPANT_LIMIT else state.participants


# --- guards -----------------------------------------------------------------------------------------------


def existing(state: Conversation) -> tuple[UUID, UUID]:
    if state.id is None or state.customer_id is None:
        raise NoSuchThing("no_such_conversation", "There is no such conversation")
    return state.id, state.customer_id


def text_within_limit(text: str) -> str:
    if not text.strip():
        raise Refused("empty_text", "The text is empty")
    if len(text) > TEXT_LIMIT:
        raise Refused("text_too_long", f"The text is longer than {TEXT_LIMIT} characters")
    return text
