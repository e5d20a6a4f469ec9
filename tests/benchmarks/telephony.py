"""100,000 webhooks, each sent three times and shuffled within a minute: every call right, none doubled."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.embedded import Running, _count, _okno, _run, okno_up
from tests.benchmarks.load import flood
from tests.benchmarks.storm import API_KEY, API_SALT, COPIES, WEBHOOKS_A_CALL, Webhook, expected, storm
from tests.benchmarks.table import Figure

WEBHOOKS, CLIENTS, CONNECTIONS = 100_000, 5_000, 50
CALLS = WEBHOOKS // WEBHOOKS_A_CALL
DEADLINE_SECONDS = 600.0


def figures() -> Iterator[Figure]:
    with okno_up() as okno:
        channel = _add_channel(okno)
        posts = [_post(okno.host, channel, webhook) for webhook in storm(CALLS, CLIENTS)]
        began = time.perf_counter()
        outcome = _run(flood((okno.host, okno.port), posts, CONNECTIONS))
        assert outcome.statuses == {200: WEBHOOKS * COPIES}, outcome.statuses
        answered = WEBHOOKS * COPIES / outcome.seconds
        wrong, doubled = _judged(okno.database)
        rate = WEBHOOKS * COPIES / (time.perf_counter() - began)
    yield Figure("telephony: calls that are wrong or missing", wrong, "of 20,000", 0, False)
    yield Figure("telephony: entries beyond one a call", doubled, "entries", 0, False)
    yield Figure("telephony: webhooks/s answered, 50 connections", answered, "/s", 0, True)
    yield Figure("telephony: webhooks/s until every call is right", rate, "/s", 0, True)


def _add_channel(okno: Running) -> str:
    settings = ["--set", "provider=mango", "--set", f"api_key={API_KEY}", "--set", f"api_salt={API_SALT}"]
    added = _okno(str(okno.database.parent), "channels", "add", "telephony", "Phone", *settings, "--json")
    id_: str = json.loads(added)["id"]
    return id_


def _post(host: str, channel: str, webhook: Webhook) -> bytes:
    head = (
        f"POST /in/telephony/{channel}/{webhook.path} HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(webhook.body)}\r\n\r\n"
    )
    return head.encode() + webhook.body


def _judged(database: Path) -> tuple[int, int]:
    """Wait until every call is as it should be, or nothing has changed for a while; return how many are not."""
    right, before, since = expected(CALLS, CLIENTS), -1, time.monotonic()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = [shown(body) for body in _calls(database)]
        wrong = len(right) - sum(right.get(id_) == call for id_, call in dict(found).items())
        position = _count(database, "stored_events")
        if position != before:
            before, since = position, time.monotonic()
        if not wrong or time.monotonic() - since > 10 or time.monotonic() > deadline:
            return wrong, len(found) - len(right)
        time.sleep(0.5)


def _calls(database: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        last = "SELECT c.body FROM timeline_changes c WHERE c.message_id = t.id AND c.kind = 'call'"
        sql = f"SELECT t.body, ({last} ORDER BY c.position DESC LIMIT 1) FROM timeline t WHERE t.kind = 'call'"
        return [{**json.loads(body), **json.loads(told or "{}")} for body, told in connection.execute(sql)]
    finally:
        connection.close()


def shown(entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a call's id and what is judged of it."""
    call = entry["call"]
    facts = ("state", "direction", "from", "to", "answered_by", "waiting_seconds", "talking_seconds", "reported")
    legs = [[leg["id"], leg["to"], leg["state"]] for leg in call["legs"]]
    return entry["external_id"], {**{name: call[name] for name in facts}, "legs": legs}
