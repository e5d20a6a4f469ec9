"""The process in which large items are parsed: reads requests from stdin, answers on stdout, ends with its parent.

It holds no secret but what a request brings, and a parser that hangs or eats memory ends only this process.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from shared.connector import Channel
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.said import said_with_kind

MEMORY_BYTES = 2 * 1024 * 1024 * 1024
"""Address space of a child: a mail of 64 MB needs 600 MB."""
WEARY_BYTES = 300 * 1024 * 1024
"""A child that still holds more after its work is replaced by a fresh one."""
LENGTH_BYTES = 8
READY = b"ready"
"""The first message of a child, when its imports are done."""


@dataclass(frozen=True, slots=True)
class Request:
    """`parse` is `module:function`; after `seconds` the child is ended by an alarm, should nobody else end it."""

    parse: str
    item: RawItem
    channel: Channel
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Exactly one of the first three is given. `is_last`: this child ends now."""

    parsed: Parsed | None = None
    unreadable: str = ""
    bug: str = ""
    is_last: bool = False


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not write into the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in sys.argv[1:]:
        importlib.import_module(name)
    write_message(answers, READY)
    while (data := read_message(requests)) is not None:
        answer = _answer(msgspec.msgpack.decode(data, type=Request))
        write_message(answers, msgspec.msgpack.encode(answer))
        if answer.is_last:
            return


def read_message(stream: BinaryIO) -> bytes | None:
    """Return the next message, None at the end."""
    length = stream.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(length, "big"))


def write_message(stream: BinaryIO, data: bytes) -> None:
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    stream.write(data)
    stream.flush()


def _answer(request: Request) -> Answer:
    """The alarm's default is to end the process, also one that is stuck in C code."""
    signal.setitimer(signal.ITIMER_REAL, request.seconds + 1)
    try:
        parsed, unreadable, bug = _function(request.parse)(request.item, request.channel), "", ""
    except UnreadableItem as error:
        parsed, unreadable, bug = None, str(error) or "unreadable", ""
    except MemoryError:
        parsed, unreadable, bug = None, f"needs more than {MEMORY_BYTES >> 20} MB to be understood", ""
    except Exception as error:
        parsed, unreadable, bug = None, "", said_with_kind(error)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return Answer(parsed, unreadable, bug, is_last=_held_bytes() > WEARY_BYTES)


def _held_bytes() -> int:
    """Return the resident memory; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def _function(name: str) -> Callable[[RawItem, Channel], Parsed]:
    module, _, function = name.partition(":")
    found: Callable[[RawItem, Channel], Parsed] = getattr(importlib.import_module(module), function)
    return found


if __name__ == "__main__":
    main()
