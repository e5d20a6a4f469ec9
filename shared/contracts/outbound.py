"""What the projector's relay tells outbound: this reply is to be sent. Topic okno.outbound, key: conversation."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.inbound import Address, FileRef
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class Quoted:
    """The client's message that is being answered."""

    author: str
    occurred_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class OutboundReply:
    """An operator's reply on its way to the client; `attempt` grows when the operator sends it again.

    `action`: message (say something; `target` is the message that the operator picked to answer, if any), edit, delete
    or react (of `target`, an external id of a message sent or received; a reaction's emoji is the `text`), call (ring
    the operator's telephone, then the client's).
    """

    id: UUID
    conversation_id: UUID
    channel_id: UUID
    to: tuple[Address, ...]
    subject: str
    text: str
    author: str
    requested_at: datetime
    in_reply_to: str
    references: tuple[str, ...]
    thread_key: str
    quoted: Quoted | None
    files: tuple[FileRef, ...]
    attempt: int = 1
    action: Literal["message", "edit", "delete", "react", "call"] = "message"
    target: str = ""
    markup: Literal["plain", "markdown"] = "plain"
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    quotes: bool = False
    """The client's text (`quoted`) is to be repeated below the answer, where the channel has such a habit."""
    automatic: bool = False
    """Made by a rule and not by a person: must be marked so (RFC 3834)."""
    operator_address: str = ""
    """Where the operator is reached: the telephone that `call` rings."""
    signature: str = ""
    """The operator's own signature, for channels that have such a habit; its variables are filled in by the channel."""
    lost: tuple[int, ...] = ()
    """Earlier attempts of unknown fate, instead of which this one is made: needless when one of them was sent."""
