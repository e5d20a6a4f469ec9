"""Run today's rules of "which conversation?" over history and show what they would do otherwise; changes nothing."""

from __future__ import annotations

import argparse
from functools import partial

from services.house import House
from services.projector.rethread import Change, Rethreading
from services.terminal import in_house, print_json, show
from shared.event_store.log import read_log

COMMANDS = {"rethread": "what today's rules would make of history"}
BATCH = 1000


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", required=True, help="say so: this command only shows")
    parser.set_defaults(run=in_house(_run))


async def _run(options: argparse.Namespace, house: House) -> None:
    rethreading, position = Rethreading(), 0
    while events := await house.database.read(partial(read_log, after=position, limit=BATCH)):
        for recorded in events:
            rethreading.take(recorded)
        position = events[-1].position
    rows = [_row(change) for change in rethreading.changes.values()]
    if options.json:
        print_json({"items": rows, "next": None, "messages": rethreading.messages})
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
