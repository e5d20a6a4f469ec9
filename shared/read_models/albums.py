"""One entry of several parts, PURE: the same whichever part came first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import chain
from typing import Any

from shared.read_models.entries import Body

_OF_THE_FIRST = ("external_id", "author", "occurred_at", "raw", "direction", "kind", "channel_id", "nature")


def merged(came_first: Body, parts: Sequence[Body]) -> Body:
    """Return the parts as one message, in the order of their external ids; a deleted part leaves nothing."""
    parts = sorted(parts, key=_number)
    natures = [part["nature"] for part in parts]
    deleted = [part["deleted_at"] for part in parts if part["deleted_at"]]
    whole = {
        **came_first,
        **{name: parts[0][name] for name in _OF_THE_FIRST},
        "subject": next((part["subject"] for part in parts if part["subject"]), ""),
        "text": _joined(part["text"] for part in parts),
        "full_text": _joined(part["full_text"] for part in parts),
        "html": _html(parts),
        "nature": "ordinary" if "ordinary" in natures else natures[0],
        "fields": _all(parts, "fields") or None,
        "deleted_at": max(deleted) if len(deleted) == len(parts) else None,
        "edited_at": max((part["edited_at"] for part in parts if part["edited_at"]), default=None),
        "versions": sorted(_all(parts, "versions"), key=lambda version: str(version["at"])),
        "warnings": list(dict.fromkeys(_all(parts, "warnings"))),
        "attachments": _all(parts, "attachments"),
        "reactions": _all(parts, "reactions"),
    }
    whole.pop("part")
    return whole


def _number(part: Body) -> tuple[int, str]:
    """Numbers of one chat have one beginning: the shorter is the smaller."""
    return len(part["external_id"]), part["external_id"]


def _joined(texts: Any) -> str:
    return "\n\n".join(filter(None, texts))


def _html(parts: Sequence[Body]) -> str | None:
    if not any(part["html"] for part in parts):
        return None
    shown = (part["html"] or escape(part["text"]).replace("\n", "<br>") for part in parts)
    return "<br><br>".join(filter(None, shown))


def _all(parts: Sequence[Body], name: str) -> list[Any]:
    return list(chain.from_iterable(part[name] or () for part in parts))
