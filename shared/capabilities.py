"""What a channel kind says of itself in its `config`: the settings it takes, and what it can and cannot do."""

from __future__ import annotations

from typing import Literal

from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a channel kind, as shown by `okno channels fields KIND`."""

    name: str
    help: str
    default: str | None = None
    """None: the setting must be given."""
    secret: bool = False
    choices: tuple[str, ...] = ()
    unique: bool = False
    """No two channels of the kind may have the same."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel kind can and cannot do."""

    receives_by: Literal["polling", "webhook", "both"]
    """both: a setting of the channel decides; `receiver` then idles, or `handle` refuses."""
    sends: bool
    threads: bool = False
    files: bool = False
    delivery_reports: bool = False
    edits: bool = False
    """What was sent can be changed and deleted."""
    reacts: bool = False
    markup: bool = False
    """Markdown becomes the channel's own formatting."""
    recipients: bool = False
    """Others than the client can be written to, openly or in copy."""
    typing: bool = False
    """The client can be shown that an operator is writing: the sender has `typing(thread_key)`, raising SendError."""
    calls: bool = False
    """It can ring the operator's telephone and then the client's."""
    tells_later: bool = False
    """What became of replies of unknown fate can be asked: the sender has `settling()`, an async context that opens
    what is needed once and lends `settled(reply_id) -> Sent | None`; both raise SendError when nobody can tell."""
    repeat_is_safe: bool = False
    """Sending the same reply again after a crash gives the client one message (idempotent provider or fixed id)."""
