"""A storm of webhooks: calls whose every webhook is sent three times, anywhere within the minute after it is due."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

API_KEY, API_SALT = "storm-key", "storm-salt"
WEBHOOKS_A_CALL, COPIES, WINDOW_SECONDS = 5, 3, 60.0
LINE = "74951234567"
_START = 1_798_000_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of Mango Office: the address below the channel's, and its body."""

    path: str
    body: bytes


def storm(calls: int, clients: int, seed: int = 5) -> Iterator[Webhook]:
    """Return `calls` calls of `clients` clients as they come in: five webhooks each, three times, out of order."""
    chance = random.Random(seed)
    due = [
        (at + chance.random() * WINDOW_SECONDS, path, body)
        for number in range(calls)
        for at, path, body in _webhooks(number, clients)
        for _ in range(COPIES)
    ]
    return (Webhook(path, body) for _, path, body in sorted(due))


def expected(calls: int, clients: int) -> dict[str, dict[str, Any]]:
    """Return what must be shown of each call in the end, by its id."""
    return {_id(number): _shown(number, clients) for number in range(calls)}


def _shown(number: int, clients: int) -> dict[str, Any]:
    missed = _is_missed(number)
    return {
        "state": "missed" if missed else "finished",
        "direction": "inbound",
        "from": f"+{_client(number, clients)}",
        "to": f"+{LINE}",
        "answered_by": None if missed else "101",
        "waiting_seconds": 20 if missed else 7,
        "talking_seconds": 0 if missed else 53,
        "legs": [["A", "101", "ended"], ["B", "102", "ended"]] if missed else [["A", "101", "ended"]],
        "reported": True,
    }


def _webhooks(number: int, clients: int) -> list[tuple[int, str, bytes]]:
    began, client = _START + number // 10, _client(number, clients)
    legs = [(0, "A", "101", 1, "Appeared")]
    if _is_missed(number):
        legs += [
            (10, "A", "101", 2, "Disconnected"),
            (10, "B", "102", 1, "Appeared"),
            (20, "B", "102", 2, "Disconnected"),
        ]
        ended, talked = began + 20, 0
    else:
        legs += [(7, "A", "101", 2, "Connected"), (30, "A", "101", 3, "OnHold"), (60, "A", "101", 4, "Disconnected")]
        ended, talked = began + 60, began + 7
    told = [
        (began + after, "events/call", _signed(_leg(number, client, began + after, id_, to, seq, state)))
        for after, id_, to, seq, state in legs
    ]
    summary = {
        "entry_id": _id(number),
        "call_direction": 1,
        "from": {"number": client},
        "to": {"extension": "101", "number": "79990000001"},
        "line_number": LINE,
        "create_time": began,
        "talk_time": talked,
        "end_time": ended,
        "entry_result": int(bool(talked)),
        "disconnect_reason": 1110,
    }
    return [*told, (ended, "events/summary", _signed(summary))]


def _leg(number: int, client: str, at: int, id_: str, to: str, seq: int, state: str) -> dict[str, Any]:
    return {
        "entry_id": _id(number),
        "call_id": id_,
        "timestamp": at,
        "seq": seq,
        "call_state": state,
        "location": "abonent",
        "from": {"number": client},
        "to": {"extension": to, "number": "79990000001"},
    }


def _signed(event: dict[str, Any]) -> bytes:
    text = json.dumps(event, separators=(",", ":"))
    sign = hashlib.sha256(f"{API_KEY}{text}{API_SALT}".encode()).hexdigest()
    return urlencode({"vpbx_api_key": API_KEY, "sign": sign, "json": text}).encode()


def _id(number: int) -> str:
    return f"entry-{number}"


def _client(number: int, clients: int) -> str:
    return f"7916{number % clients:07d}"


def _is_missed(number: int) -> bool:
    return number % 4 == 3
