"""Puts the names of channels into entries: events know ids only, so that a channel can be renamed."""

from __future__ import annotations

from typing import Any

from shared.database.protocol import Transaction
from shared.registry.channels import channel_names

Body = dict[str, Any]


def with_channels(tx: Transaction, bodies: list[Body]) -> list[Body]:
    """Replace `channel_id` by `channel` {id, kind, name}, likewise `reply_channel_id`; null where there is none."""
    names = channel_names(tx)
    for body in bodies:
        body["channel"] = _named(names, body.pop("channel_id", None))
        if "reply_channel_id" in body:
            body["reply_channel"] = _named(names, body.pop("reply_channel_id"))
    return bodies


def _named(names: dict[str, tuple[str, str]], id_: str | None) -> Body | None:
    if id_ is None:
        return None
    kind, name = names.get(id_, ("", ""))
    return {"id": id_, "kind": kind, "name": name}
