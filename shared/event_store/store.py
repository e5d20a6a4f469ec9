"""The event store: commands become events, atomically with their index entries and consumer positions.

Everything optimistic: decide on a snapshot, append with unique keys, and on a Conflict decide again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from eventsourcing.persistence import Tracking

from shared.clock import now
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Listener, Transaction
from shared.database.schema import lock_schema
from shared.database.sqlite_transaction import translated
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.conversation import Conversation
from shared.event_store import chain, erasures, raw_items, resealed, routing
from shared.event_store.cache import SIZE, SIZE_APART, StateCache
from shared.event_store.erasures import Erased
from shared.event_store.log import head, read_log
from shared.event_store.mapper import About, Happening
from shared.event_store.recent import Recent
from shared.event_store.recorders import Behind, recorder_for, schema_statements
from shared.event_store.session import TOPIC, Session
from shared.event_store.streams import refuse_other
from shared.keys.ring import KeyRing
from shared.logs import Log
from shared.said import said_with_kind
from shared.values import dataclass

ATTEMPTS = 20
Decide = Callable[[Transaction], Session]
Attempt = tuple[Session, list[e.Recorded]]
Show = Callable[[Transaction, Sequence[e.Recorded]], None]
log = Log("event_store")


@dataclass(frozen=True, slots=True)
class Handled:
    """What a command led to; `position` is the log's end after it (read models that are there show it)."""

    position: int
    happenings: Sequence[Happening]


class NotShown(Exception):
    """Events could not be shown in the transaction that records them: nothing is recorded yet, the cause says why."""


class EventStore:
    """The log of one database."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = now,
        keys: KeyRing | None = None,
        shows: Show | None = None,
    ) -> None:
        """`keys`: what personal content is sealed with; without them it is stored plain.

        `shows`: on SQLite called with what is recorded, in the same transaction. What it fails at is recorded all the
        same, and left to those who follow the log.
        """
        self._database, self._clock, self._shows = database, clock, shows
        self._erased: Erased | None = None
        if keys is not None:
            database.keys = keys
        self._cache = StateCache(SIZE if database.dialect == "sqlite" else SIZE_APART)
        self._recent = Recent()
        self._destructions = -1
        """Of keys: how many there had been when what is remembered was opened."""

    def create_tables(self) -> None:
        """Create the log and its routing index where they are missing."""
        with self._database.writing() as tx:
            lock_schema(tx)
            for statement in schema_statements(tx):
                tx.connection.execute(statement)
            tx.script(routing.SCHEMA)
            tx.script(raw_items.SCHEMA)
            tx.script(erasures.SCHEMA)
            tx.script(chain.SCHEMA)
            tx.script(resealed.SCHEMA)

    async def handle(
        self, conversation_id: UUID, command: c.ConversationCommand, actor: e.Actor, once: UUID | None = None
    ) -> Handled:
        """Decide an operator's command on a conversation. `once`: an id that makes repeating it harmless.

        Raises Refused, also when something else has this id.
        """

        def decide(session: Session, tx: Transaction) -> None:
            if once is not None and routing.seen(tx, once):
                refuse_other(tx, conversation_id, command, once)
            else:
                session.decide(conversation_id, command, About(self._clock(), actor))

        return await self.record(decide)

    async def conversation(self, conversation_id: UUID) -> Conversation:
        """Return what decisions about a conversation would be made on now; nothing that was erased meanwhile."""

        def fold(tx: Transaction) -> Conversation:
            self._forget_destroyed()
            return Session(tx, self._cache, erased=self._erased).fold(conversation_id)

        return await self._database.read(fold)

    async def handle_step(self, step_id: UUID, command: c.StepCommand, actor: e.Actor) -> Handled:
        """Decide an operator's command on a next step. Raises Refused."""

        def decide(session: Session, tx: Transaction) -> None:
            session.decide_step(step_id, command, About(self._clock(), actor))

        return await self.record(decide)

    async def handle_quarantine(self, item_id: UUID, command: c.QuarantineCommand, actor: e.Actor) -> Handled:
        """Decide an operator's command on a quarantined item. Raises Refused."""

        def decide(session: Session, tx: Transaction) -> None:
            session.decide_quarantine(item_id, command, About(self._clock(), actor))

        return await self.record(decide)

    async def record(
        self, decide: Callable[[Session, Transaction], None], positions: Mapping[str, int] | None = None
    ) -> Handled:
        """Run `decide` on a snapshot and append what it decided, together with a consumer's positions.

        `decide` runs again after a Conflict. Raises Behind when the positions are not ahead of the recorded ones.
        """
        tracking = [Tracking(name, position) for name, position in (positions or {}).items()]
        shows = self._shows
        for number in range(ATTEMPTS):
            try:
                job = partial(self._decide, decide=decide, careful=number > 0)
                session, recorded = await self._attempt(job, tracking, shows)
            except Conflict:
                await self._look_at_erasures()
                continue
            except NotShown as error:
                log.error("recorded_unshown", error)
                shows = None
                continue
            self._cache.put(session.states.items())
            self._recent.put(recorded)
            if session.erases:
                await self._look_at_erasures()
            happenings = [happening for _, _, happening in session.appended]
            position = recorded[-1].position if recorded else await self._database.read(head, brief=True)
            return Handled(position, happenings)
        raise Conflict(f"{ATTEMPTS} attempts, each overtaken by another process")

    async def _attempt(self, decide: Decide, tracking: Sequence[Tracking], shows: Show | None) -> Attempt:
        if self._database.dialect == "sqlite":
            return await self._at_once(decide, tracking, shows)
        return await self._on_a_snapshot(decide, tracking)

    async def _on_a_snapshot(self, decide: Decide, tracking: Sequence[Tracking]) -> Attempt:
        """PostgreSQL: decide on a snapshot, then append; what another process did meanwhile is a Conflict."""
        session = await self._database.read(decide)
        if not session.appended and not tracking:
            return session, []
        try:
            save = partial(session.save, recorded_at=self._clock(), tracking=tracking)
            return session, await self._database.write(save)
        except Conflict:
            self._forget(session)
            raise

    async def _at_once(self, decide: Decide, tracking: Sequence[Tracking], shows: Show | None) -> Attempt:
        """SQLite: there is one writer anyway, and its connection has the pages at hand that deciding looks at.

        Shown with it, a message costs one commit instead of two, and is on its timeline once it is recorded.
        """

        def job(tx: Transaction) -> Attempt:
            session = decide(tx)
            if not session.appended and not tracking:
                return session, []
            try:
                recorded = session.save(tx, self._clock(), tracking)
            except sqlite3.IntegrityError:
                self._forget(session)
                raise
            if shows is not None and recorded:
                _show(tx, recorded, shows)
            return session, recorded

        return await self._database.write(job, brief=True)

    async def _look_at_erasures(self) -> None:
        """Forget everything that is remembered once somebody was erased."""
        known, self._erased = self._erased, await self._database.read(erasures.read, brief=True)
        if known is None or known.number == self._erased.number:
            return
        self._cache.clear()
        self._recent.clear()
        if self._database.keys is not None:
            self._database.keys.forget()

    def _forget_destroyed(self) -> None:
        """Drop what this process remembers once another one has destroyed keys: of whoever was erased it may be."""
        keys = self._database.keys
        if keys is not None and (known := keys.destructions()) != self._destructions:
            self._destructions = known
            self._cache.clear()
            self._recent.clear()

    def _forget(self, session: Session) -> None:
        self._cache.forget(stream for stream, _, _ in session.appended)

    def recent(self, position: int, limit: int) -> list[e.Recorded]:
        """Return events after a position as far as they are at hand; none does not mean that there are none."""
        return self._recent.after(position, limit)

    async def after(self, position: int, limit: int) -> list[e.Recorded]:
        """Return up to `limit` events recorded after a position, without gaps; passes over what cannot be read."""
        events = self._recent.after(position, limit)
        return events or await self._database.read(
            partial(read_log, after=position, limit=limit, pass_over=True), brief=True
        )

    async def positions(self, names: Sequence[str]) -> dict[str, int]:
        """Return the recorded positions of those consumers that have one."""
        return await self._database.read(lambda tx: _positions(tx, names), brief=True)

    async def move_position(self, name: str, position: int) -> None:
        """Record how far a follower of the log has come; a position that is not ahead changes nothing."""

        def move(tx: Transaction) -> None:
            recorder_for(tx).insert([], [Tracking(name, position)])

        try:
            await self._database.write(move, brief=True)
        except Behind:
            return

    def listen(self) -> Listener:
        """Return a listener that wakes when something was recorded."""
        return self._database.listen(TOPIC)

    def _decide(self, tx: Transaction, decide: Callable[[Session, Transaction], None], careful: bool) -> Session:
        if self._erased is None:
            self._erased = erasures.read(tx)
        session = Session(tx, self._cache, careful=careful, erased=self._erased)
        decide(session, tx)
        return session


def _show(tx: Transaction, recorded: Sequence[e.Recorded], shows: Show) -> None:
    try:
        shows(tx, recorded)
    except Exception as error:
        if isinstance(translated(error), DatabaseUnavailable):  # its own trouble, as with any other statement
            raise
        raise NotShown(said_with_kind(error)) from error


def _positions(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    recorder = recorder_for(tx)
    found = {name: recorder.max_tracking_id(name) for name in names}
    return {name: position for name, position in found.items() if position is not None}
