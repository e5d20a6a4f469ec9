"""What the commands share: opening the house, and answering in columns for people or JSON with --json."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import orjson

from services.house import House, open_house
from shared.clock import from_text
from shared.event_store.mapper import EventUnreadable
from shared.settings import Settings

NICE = 10
LARGEST = 2**62
"""Whatever is counted here, every database can hold it, and one more."""


class WrongRequest(Exception):
    """The command was given something it cannot use; the text says what would be right."""


def number(text: str) -> int:
    """Return the whole number given to an option of argparse. Raises ArgumentTypeError."""
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a whole number is wanted, not {text[:50]!r}") from error
    if abs(value) > LARGEST:
        raise argparse.ArgumentTypeError(f"{text[:50]} is too large: there is nothing after {LARGEST}")
    return value


def moment(option: str, text: str | None) -> datetime | None:
    """Return the time given to an option, None where none was: an empty text is no time. Raises WrongRequest."""
    try:
        return None if text is None else from_text(text)
    except ValueError as error:
        raise WrongRequest(f"{option} wants a time such as 2026-11-21T14:05:00Z, not {text!r}") from error


def person() -> str:
    """Return what stands for whoever gave the command; a container's user may have a number only."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):
        return f"command line (user {os.getuid()})"


def typed(question: str) -> str:
    """Return what the person answers; nothing where nobody is there to be asked."""
    try:
        return input(question).strip()
    except EOFError:
        return ""


@contextmanager
def passing_over(else_: str = "") -> Iterator[None]:
    """For commands that have --pass-over: whoever meets an event that cannot be read is told of it.

    `else_`: what it means to have stopped.
    """
    try:
        yield
    except EventUnreadable as error:
        raise EventUnreadable(f"{error}; {else_}--pass-over leaves out and names what cannot be read") from error


def say_left_out(named: Sequence[str], count: int) -> None:
    """Name what was left out on stderr; `count`: how much that was, where not all of it is named."""
    for each in named:
        print(f"left out: {each}", file=sys.stderr)
    if more := count - len(named):
        print(f"left out: {more:,} more", file=sys.stderr)


def come_last() -> None:
    """Leave the processor to whoever serves clients: for commands that read everything there is."""
    with suppress(OSError):
        os.nice(NICE)


def in_house(
    command: Callable[[argparse.Namespace, House], Awaitable[int | None]],
    *,
    keys_may_lack: bool = False,
    half_restored: bool = False,
) -> Callable[[argparse.Namespace, Settings], int | None]:
    """Return `command` as cli.py calls it."""

    async def main(options: argparse.Namespace, settings: Settings) -> int | None:
        house = open_house(settings, keys_may_lack=keys_may_lack, half_restored=half_restored)
        try:
            return await command(options, house)
        finally:
            await house.close()

    return lambda options, settings: asyncio.run(main(options, settings))


def show(as_json: bool, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows: every field as {"items": [...]} in JSON, the named columns for people."""
    if as_json:
        print_json({"items": list(rows), "next": None})
        return
    table = [list(columns), *([_text(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[n]) for line in table) for n in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def _text(value: object) -> str:
    """Return one line; what a client wrote must not steer the terminal."""
    return "" if value is None else "".join(letter if letter.isprintable() else " " for letter in str(value))


def stop_writing() -> None:
    """Nobody reads stdout any more: what is still buffered would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
