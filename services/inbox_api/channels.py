"""The channels as the window shows them: state, problem, lag. Settings and secrets never leave here."""

from __future__ import annotations

from starlette.responses import Response

from services.inbox_api.abilities import abilities_of
from services.inbox_api.channel_names import Body
from services.inbox_api.context import Call
from services.inbox_api.short_lists import Place, short, since
from shared.database.protocol import Transaction
from shared.registry.health import Health, health_of_channels


async def list_(call: Call) -> Response:
    return short(call, await call.context.database.read(_channels))


def _channels(tx: Transaction) -> list[tuple[Place, Body]]:
    healths = health_of_channels(tx)
    sql = "SELECT created_at, id, kind, name, settings, state FROM channels WHERE state <> 'removed'"
    unknown = Health("", None, None)
    return [
        (since(at, id_), _shown(id_, kind, name, settings, state, healths.get(id_, unknown)))
        for at, id_, kind, name, settings, state in tx.rows(sql)
    ]


def _shown(id_: str, kind: str, name: str, settings: str, state: str, health: Health) -> Body:
    return {
        "id": id_,
        "kind": kind,
        "name": name,
        "state": "failing" if state == "active" and health.problem else state,
        "problem": health.problem or None,
        "lag": health.lag,
        "last_received_at": health.last_received_at,
        "can": abilities_of(kind, settings),
    }
