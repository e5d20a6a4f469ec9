"""Follows the log live, from another process than the one that writes it."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Sequence
from functools import partial

from services.house import House
from services.inbox_api.selection import Selection, page
from shared.clock import to_text
from shared.domain.events import Recorded
from shared.event_store.log import head
from shared.read_models import live

BATCH = 500
IDLE_SECONDS = 2.0
TEXT_CHARACTERS = 80
Write = Callable[[Sequence[Recorded]], None]


async def follow(house: House, wanted: Selection, after: int | None, write: Write) -> None:
    """Hand over events as they come, until cancelled or nobody reads stdout. `after` None: from now on."""
    listener = house.store.listen() if wanted.customer_id is None else house.database.listen(live.TOPIC)
    position = await house.database.read(head) if after is None else after
    while True:
        found = await house.database.read(partial(page, wanted=wanted, after=position, limit=BATCH))
        if found.events:
            write(found.events)
        position = found.until
        if not found.more and not await listener.wait(IDLE_SECONDS) and is_unread(sys.stdout.fileno()):
            return


def readable(events: Sequence[Recorded]) -> str:
    """Return a line for each event: where, when, what, by whom, the beginning of what was said."""
    return "".join(f"{_line(recorded)}\n" for recorded in events)


def is_unread(number: int) -> bool:
    """Return whether a file descriptor is a pipe whose reader is gone."""
    poll = select.poll()
    poll.register(number, 0)
    return any(happened & select.POLLERR for _, happened in poll.poll(0))


def _line(recorded: Recorded) -> str:
    event, actor = recorded.event, recorded.actor
    said = next((text for name in ("text", "subject", "reason", "name") if (text := getattr(event, name, ""))), "")
    who = f"{actor.kind} {actor.name}".strip()
    said = said or ("(erased)" if recorded.erased else "")
    parts = (recorded.position, to_text(recorded.recorded_at), type(event).__name__, who, _one_line(str(said)))
    return "  ".join(map(str, parts)).rstrip()


def _one_line(text: str) -> str:
    """What a client wrote must not steer the terminal."""
    short = text[:TEXT_CHARACTERS] + ("…" if len(text) > TEXT_CHARACTERS else "")
    return "".join(letter if letter.isprintable() else " " for letter in short)
