"""What operators answer, and how it fares on its way out. Only ever added to."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from shared.domain.events_values import Address, File
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class ReplyRequested:
    """An operator answered the message `answers`. Fields as in `contracts.outbound`."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    answers: UUID
    channel_id: UUID
    to: tuple[Address, ...]
    subject: str
    text: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_key: str = ""
    files: tuple[File, ...] = ()
    markup: Literal["plain", "markdown"] = "plain"
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    quotes: bool = False
    automatic: bool = False
    target: str = ""
    """The external id of the message that the operator picked to answer."""
    signature: str = ""
    """The operator's own, as it was then: a mail that is sent again is the same mail."""


@dataclass(frozen=True, slots=True)
class ActionRequested:
    """An operator wants something done with a message, or a telephone rung; its fate is told like a reply's.

    `message_id` is the message edited, deleted or reacted to, `target` its external id; fields as in
    `contracts.outbound`.
    """

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    action: Literal["edit", "delete", "react", "call"]
    channel_id: UUID
    to: tuple[Address, ...]
    message_id: UUID | None = None
    target: str = ""
    text: str = ""
    markup: Literal["plain", "markdown"] = "plain"
    thread_key: str = ""
    operator_address: str = ""


@dataclass(frozen=True, slots=True)
class ReplyRetried:
    """An operator decided to send a failed or uncertain reply again."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    of_action: bool = False
    lost: tuple[int, ...] = ()
    """Earlier attempts of unknown fate, as far as was known then."""


@dataclass(frozen=True, slots=True)
class ReplySent:
    """The provider accepted the reply under `external_id`."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    channel_id: UUID
    attempt: int
    tries: int
    external_id: str
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The reply did not reach the client and will not by itself."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    tries: int
    error: str
    code: str = ""
    of_action: bool = False
    """What failed is no answer, so the client waits neither more nor less."""


@dataclass(frozen=True, slots=True)
class ReplyFateUnknown:
    """The reply may have reached the client: the channel cannot tell."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    tries: int
    error: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class ReplyDelivered:
    """The client's side confirmed that it has a reply."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyRead:
    """The client, or their program, says that a reply was read."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyDelayed:
    """Somebody on the way is still trying."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyBounced:
    """A reply that had been sent came back: the client has not got it.

    `earlier`: an attempt of unknown fate did, while the next one was under way, of which this says nothing.
    """

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class ReplyComplained:
    """The client's side calls a reply spam."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None
