"""Puts the names of channels into entries: events know ids only, so that a channel can be renamed."""

from __future__ import annotations

from typing import Any

from shared.database.protocol import Transaction
from shared.registry.channels import channel_names

Body = dict[str, Any]


def with_channels(tx: Transaction, bodies: list[Body]) -> list[Body]:
    """Replace each `channel_id` by `channel` {id, kind, name}; entries of no channel keep null."""
    names = channel_names(tx)
    for body in bodies:
        id_ = body.pop("channel_id", None)
        kind, name = names.get(id_, ("", "")) if id_ else ("", "")
        body["channel"] = {"id": id_, "kind": kind, "name": name} if id_ else None
    return bodies
