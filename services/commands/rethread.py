"""Run today's rules of "which conversation?" over history and show what they would do otherwise; changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from services.house import House
from services.projector.rethread import Change, Rethreading
from services.terminal import in_house, passing_over, print_json, say_left_out, show
from shared.event_store.log import LAST_POSITION, read_window
from shared.read_models import holes

COMMANDS = {"rethread": "what today's rules would make of history"}
BATCH = 1000


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", required=True, help="say so: this command only shows")
    parser.add_argument("--pass-over", action="store_true", help="leave out and name events that cannot be read")
    parser.set_defaults(run=in_house(_run), begins=False)


async def _run(options: argparse.Namespace, house: House) -> int:
    """Return 1 where something was left out."""
    rethreading = Rethreading()
    with passing_over():
        left_out = await _take_all(house, rethreading, options.pass_over)
    _print(options.json, rethreading, left_out)
    return 1 if left_out else 0


async def _take_all(house: House, rethreading: Rethreading, pass_over: bool) -> list[str]:
    """Return what was left out, in words. Raises EventUnreadable."""
    position, left_out = 0, list[str]()
    read = partial(read_window, until=LAST_POSITION, limit=BATCH, pass_over=pass_over)
    while events := await house.database.read(partial(read, after=position)):
        left_out += [hole.why for hole in holes.of(events)]
        for recorded in events:
            rethreading.take(recorded)
        position = events[-1].position
    return left_out


def _print(as_json: bool, rethreading: Rethreading, left_out: Sequence[str]) -> None:
    rows = [_row(change) for change in rethreading.changes.values()]
    say_left_out(left_out, len(left_out))
    if as_json:
        print_json({"items": rows, "next": None, "messages": rethreading.messages, "left_out": left_out})
        return
    show(False, rows, ("message", "sender", "subject", "from", "to", "score", "reason"))
    print(f"{len(rows)} of {rethreading.messages} messages would go elsewhere")


def _row(change: Change) -> dict[str, object]:
    return {
        "message": str(change.message_id),
        "sender": change.sender,
        "subject": change.subject,
        "from": str(change.actual),
        "to": str(change.wanted) if change.wanted else "a new one",
        "score": change.score,
        "reason": change.reason,
    }
