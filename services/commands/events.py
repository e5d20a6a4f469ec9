"""Read the log: export events for analysts, or follow them live."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import IO

from services.collector import seldom_collected
from services.commands.timeline import customer_named
from services.export.apart import Written
from services.export.files import STDOUT, EventFile, JsonLines, whole_file
from services.export.parquet import Parquet, ParquetMissing
from services.export.tail import follow, readable
from services.export.write import write_events
from services.house import House
from services.inbox_api.selection import Selection, bounds
from services.progress import shown_events
from services.terminal import (
    WrongRequest,
    in_house,
    moment,
    number,
    passing_over,
    print_json,
    say_left_out,
    stop_writing,
)
from shared.apart import ChildEnded
from shared.domain.events import Recorded
from shared.event_store.log import head
from shared.event_store.shown import UnknownType, json_lines, stored_names

COMMANDS = {"events": "export events, or follow them live"}
FORMATS = ("jsonl", "parquet")


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(begins=False)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write events to a file, which appears when it is whole")
    export.add_argument("--format", choices=FORMATS, default="jsonl", help="JSON lines, or Parquet (needs pyarrow)")
    export.add_argument("--out", required=True, metavar="FILE", help="-: stdout; JSON lines as *.gz are compressed")
    export.add_argument("--until", metavar="TIME", help="only what was recorded before then; RFC 3339")
    export.add_argument("--pass-over", action="store_true", help="leave out and name events that cannot be read")
    export.set_defaults(run=in_house(_export))
    tail = actions.add_parser("tail", help="print events as they are recorded, until interrupted")
    tail.add_argument("--after", type=number, metavar="POSITION", help="begin after a position; 0: at the beginning")
    tail.set_defaults(run=in_house(_tail), until=None, pass_over=False)
    for action in (export, tail):
        action.add_argument("--since", metavar="TIME", help="only what was recorded then or later; RFC 3339")
        action.add_argument("--customer", metavar="CUSTOMER|ADDRESS", help="only what a customer's timeline is made of")
        action.add_argument("--type", action="append", default=[], metavar="NAME", help="such as MessageReceived")


async def _export(options: argparse.Namespace, house: House) -> int:
    """Return 1 where something was left out. Raises NoSuchThing; WrongRequest, also where Parquet cannot be written."""
    wanted = await _wanted(options, house)
    if options.format == "parquet" and options.out in STDOUT:
        raise WrongRequest("Parquet cannot be written to stdout: name a file")
    if not Path(options.out).parent.is_dir():
        raise WrongRequest(f"there is no folder {Path(options.out).parent}")
    _cancel_on(signal.SIGTERM)
    try:
        with passing_over(), whole_file(options.out) as out, shown_events() as progress, seldom_collected():
            written = await write_events(house.database, wanted, _file(options, out), progress, house.place)
    except ParquetMissing as error:
        raise WrongRequest(str(error)) from error
    except ChildEnded as error:
        raise WrongRequest(f"{error}: the export is not whole, export again") from error
    say_left_out(written.named, written.left_out)
    if options.out not in STDOUT:
        _say_written(options, written)
    return 1 if written.left_out else 0


def _say_written(options: argparse.Namespace, written: Written) -> None:
    if options.json:
        told = {"left_out": written.left_out, "named": list(written.named)}
        print_json({"events": written.events, "file": options.out, **told})
    elif Path(options.out).is_file():  # what reads a pipe may print where we do
        print(f"{options.out}: {written.events} events")


def _file(options: argparse.Namespace, out: IO[bytes]) -> EventFile:
    """Raises ParquetMissing."""
    if options.format == "parquet":
        return Parquet(out)
    return JsonLines(out, compressed=options.out.endswith(".gz"))


async def _tail(options: argparse.Namespace, house: House) -> None:
    """An interrupt and a reader that has gone are how it ends: no errors. Raises NoSuchThing, WrongRequest."""
    wanted, after = await _wanted(options, house), options.after
    end = await house.database.read(head)
    if after is not None and not 0 <= after <= end:
        raise WrongRequest(f"--after wants a position: the log has those up to {end}, 0 is its beginning")
    if wanted.since is not None:
        first, _ = await house.database.read(partial(bounds, wanted=wanted))
        after = max(first, after or 0)
    _cancel_on(signal.SIGTERM, signal.SIGINT)
    try:
        await follow(house, wanted, after, partial(_print, as_json=options.json))
    except asyncio.CancelledError:
        return
    except BrokenPipeError:
        stop_writing()


def _print(events: list[Recorded], as_json: bool) -> None:
    sys.stdout.buffer.write(json_lines(events) if as_json else readable(events).encode())
    sys.stdout.buffer.flush()


async def _wanted(options: argparse.Namespace, house: House) -> Selection:
    """Raises WrongRequest, NoSuchThing."""
    since = moment("--since", options.since)
    until = moment("--until", options.until)
    if since and until and since >= until:
        raise WrongRequest("--since is not before --until")
    try:
        names = stored_names(options.type)
    except UnknownType as error:
        raise WrongRequest(str(error)) from error
    customer_id = None
    if options.customer is not None:
        customer_id = await house.database.read(partial(customer_named, wanted=options.customer))
    return Selection(names, customer_id, since, until, options.pass_over)


def _cancel_on(*signals: signal.Signals) -> None:
    """End this command as if it had been cancelled, so that a draft is removed and connections are closed."""
    task = asyncio.current_task()
    assert task is not None
    for each in signals:
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
