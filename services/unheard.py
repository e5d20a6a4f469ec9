"""Relays again what outbound never heard of: its topic was deleted, or Kafka emptied, after the relay had passed it.

The log is the outbox, and outbound's ledger keeps each attempt for ever from when it hears of it: so each is looked at
until it stands there, and one that is relayed twice is sent once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec

from services.privacy.told_again import ASKED, FATES, Key, known_of, tell_of
from services.projector import relay
from shared.clock import now
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Transaction
from shared.domain import events as e
from shared.event_store.log import LAST_POSITION, read_positions, read_stored_window
from shared.event_store.log_streams import read_streams_window
from shared.event_store.mapper import EventUnreadable
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.read_models import holes
from shared.said import said
from shared.transport.protocol import Publisher, TransportUnavailable

POSITION = "unheard"
"""Up to it outbound has heard of everything, or it has a fate."""
LOOK_SECONDS = 60.0
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=1)
"""From the first look that misses it: outbound may be behind. Each time it waits twice as long, up to an hour."""
MOST = 5000
"""So many are waited for at a time: the log is not read on before outbound has heard of some."""
AT_ONCE = 500
"""So many are relayed again in a round."""
WINDOW, WINDOW_BYTES = 10_000, 250_000
PACE_SECONDS = 0.2
WAITS = (DatabaseUnavailable, TransportUnavailable, Conflict, WrongKeyStore)
Unheard = dict[int, Key]
"""By position in the log, in its order."""
log = Log("projector")


class _Asked(msgspec.Struct, gc=False):
    """What is never sealed of a request."""

    reply_id: UUID
    attempt: int = 1


class _Plain(msgspec.Struct, gc=False):
    event: _Asked


_decoder = msgspec.json.Decoder(_Plain)


@dataclass(slots=True)
class _Waiting:
    """Not frozen: each time it is relayed it is waited for longer."""

    key: Key
    due_at: datetime
    wait: timedelta = FIRST_WAIT


class RelayAgain:
    """Runs in one process at a time; what it remembers is only how long to wait."""

    def __init__(
        self, database: Database, store: EventStore, publisher: Publisher, clock: Callable[[], datetime] = now
    ) -> None:
        self._database, self._store, self._publisher, self._clock = database, store, publisher, clock
        self._waiting: dict[int, _Waiting] = {}
        self._position = self._recorded = 0

    def work(self) -> Sequence[Coroutine[None, None, None]]:
        return (self._run(),)

    async def _run(self) -> None:
        while True:
            try:
                if relayed := await self.look():
                    log.warning("relayed_again", replies=relayed)
            except WAITS as error:
                log.warning("relaying_again_waits", error=said(error)[:500])
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Look once at what is new and what is waited for; return how many were relayed again. Raises WAITS."""
        keys = {position: each.key for position, each in self._waiting.items()}
        self._keep(await self._database.read(partial(_unknown, asked=keys)))
        while len(self._waiting) < MOST and await self._read_on():  # noqa: ASYNC110 (a pause)
            await asyncio.sleep(PACE_SECONDS)
        relayed = await self._relay_due(self._clock())
        settled = min([self._position, *(position - 1 for position in self._waiting)])
        if settled > self._recorded:
            await self._store.move_position(POSITION, settled)
            self._recorded = settled
        return relayed

    def _keep(self, positions: Collection[int]) -> None:
        self._waiting = {position: each for position, each in self._waiting.items() if position in positions}

    async def _read_on(self) -> bool:
        """Return False at the end of what was relayed."""
        begin, end = await _stretch(self._store)
        after = max(self._position, begin)
        self._position, unheard = await self._database.read(partial(unheard_after, after=after, end=end))
        due_at = self._clock() + FIRST_WAIT
        self._waiting |= {position: _Waiting(key, due_at) for position, key in unheard.items()}
        return self._position < end

    async def _relay_due(self, at: datetime) -> int:
        due = {position: each for position, each in self._waiting.items() if each.due_at <= at}
        some = {position: due[position].key for position in sorted(due)[:AT_ONCE]}
        events, unreadable = await self._database.read(partial(without_fate, asked=some))
        if unreadable:
            await self._database.write(partial(holes.note, holes=unreadable))
        await tell_of(self._database, self._publisher, events)
        told = {recorded.position for recorded in events}
        self._keep(self._waiting.keys() - (some.keys() - told))
        for position in told:
            _wait_longer(self._waiting[position], at)
        return len(events)


def _wait_longer(each: _Waiting, at: datetime) -> None:
    each.wait = min(LONGEST_WAIT, 2 * each.wait)
    each.due_at = at + each.wait


async def unheard_before(database: Database, store: EventStore, moment: datetime) -> int:
    """Return how many were asked for before a moment and relayed, have no fate, and are not known to outbound."""
    (position, end), count = await _stretch(store), 0
    while position < end:
        position, unheard = await database.read(partial(unheard_after, after=position, end=end))
        events, _ = await database.read(partial(without_fate, asked=unheard))
        count += sum(recorded.recorded_at < moment for recorded in events)
    return count


async def _stretch(store: EventStore) -> tuple[int, int]:
    """Return up to where all was heard of, and how far the relay has come."""
    positions = await store.positions([POSITION, relay.POSITION])
    return positions.get(POSITION, 0), positions.get(relay.POSITION, 0)


def unheard_after(tx: Transaction, after: int, end: int) -> tuple[int, Unheard]:
    """Return what was asked for after a position up to another and outbound knows nothing of, and how far it looked.

    Reads a stretch of the log by its position, no text, and the ledger by its key: no matter how long they are.
    """
    until = max(after, min(after + WINDOW, end))
    reached, found = read_stored_window(tx, after, until, WINDOW_BYTES, [event.__name__ for event in ASKED])
    asked: Unheard = {}
    for stored in found:
        try:
            event = _decoder.decode(stored.plain).event
        except (msgspec.MsgspecError, LookupError, ValueError, TypeError):
            continue  # it was changed: the relay has noted that, and `services/mending` tells of it
        asked[stored.position] = (event.reply_id, event.attempt)
    return reached, _unknown(tx, asked)


def _unknown(tx: Transaction, asked: Mapping[int, Key]) -> Unheard:
    known = known_of(tx, asked.values())
    return {position: key for position, key in asked.items() if key not in known}


def without_fate(tx: Transaction, asked: Mapping[int, Key]) -> tuple[list[e.Recorded], list[holes.Hole]]:
    """Return the events at some positions of which the log tells no fate, and those that cannot be read."""
    events, unreadable = list[e.Recorded](), list[holes.Hole]()
    for position in asked:
        try:
            events += read_positions(tx, [position])
        except EventUnreadable as error:
            unreadable.append(holes.Hole(position, str(error)))
    ended = _ended(tx, sorted({recorded.stream_id for recorded in events}))
    return [recorded for recorded in events if asked[recorded.position] not in ended], unreadable


def _ended(tx: Transaction, conversations: Sequence[UUID]) -> set[Key]:
    types = [event.__name__ for event in FATES]
    told = read_streams_window(tx, conversations, 0, LAST_POSITION, LAST_POSITION, types, pass_over=True)
    return {(r.event.reply_id, r.event.attempt) for r in told if isinstance(r.event, FATES)}
