"""What can be done on a channel, as its kind says of itself: the window offers nothing else."""

from __future__ import annotations

from services.inbox_api.channel_names import Body
from shared.connector import load

_SHOWN = ("sends", "files", "threads", "delivery_reports", "edits", "reacts", "markup", "recipients", "typing", "calls")


def abilities_of(kind: str) -> Body:
    """Return what a kind of channel can do, by name; nothing for one that is not installed here."""
    try:
        capabilities = load(kind).capabilities
    except LookupError:
        return dict.fromkeys(_SHOWN, False)
    return {name: getattr(capabilities, name) for name in _SHOWN}
