"""What can be done on a channel, as its kind says of itself: the window offers nothing else."""

from __future__ import annotations

from uuid import UUID

from services.inbox_api.channel_names import Body
from shared.connector import load
from shared.database.protocol import Transaction
from shared.registry.public_settings import with_hidden_secrets

_SHOWN = ("sends", "files", "threads", "delivery_reports", "edits", "reacts", "markup", "recipients", "typing", "calls")


def abilities_of(kind: str, kept: str | None = None) -> Body:
    """Return what a kind of channel can do, by name, or a channel by its kept settings; nothing for an unknown."""
    try:
        of_kind = load(kind)
        capabilities = (
            of_kind.capabilities if kept is None else of_kind.capabilities_with(with_hidden_secrets(kind, kept))
        )
    except LookupError:
        return dict.fromkeys(_SHOWN, False)
    return {name: getattr(capabilities, name) for name in _SHOWN}


def cannot_call(tx: Transaction) -> set[UUID]:
    """Return the channels through which no call can be started."""
    rows = tx.rows("SELECT id, kind, settings FROM channels WHERE state <> 'removed'")
    return {UUID(id_) for id_, kind, settings in rows if not abilities_of(kind, settings)["calls"]}
