"""PURE: what Okno itself notes beside the updates of a bot: ids that never came, time away. Kept like any item."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.channels.telegram.view import Json, text
from shared.clock import to_text
from shared.parsed import RawItem

_MARK = "okno_notice"


def gap(first: int, last: int, at: datetime) -> RawItem:
    """Note that updates `first` to `last` were never given to us."""
    which = f"update {first}" if first == last else f"updates {first} to {last}"
    return _notice(f"gap/{first}-{last}", f"Telegram left out {which} of this bot: what they said is lost.", at)


def away(since: datetime, at: datetime) -> RawItem:
    """Note that nobody asked for updates for longer than Telegram keeps them."""
    words = (
        f"Okno was away from {to_text(since)[:16]}Z to {to_text(at)[:16]}Z. Telegram keeps updates for 24 hours:"
        f" what came before {at.strftime('%H:%M')} of the last day may be lost."
    )
    return _notice(f"away/{to_text(since)}", words, at)


def words(update: Json) -> str:
    """Return what a notice says; nothing for an update of Telegram's, which always has an id."""
    return text(update, _MARK) if "update_id" not in update else ""


def _notice(key: str, words: str, at: datetime) -> RawItem:
    return RawItem(msgspec.json.encode({_MARK: words}), "application/json", at, key)
