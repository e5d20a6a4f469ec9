"""All read models together: their live tables, how far in the log they are, and taking in the next events.

A model is a module of this package with a `READ_MODEL`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from shared import read_models
from shared.database.protocol import Database, Transaction
from shared.database.schema import lock_schema
from shared.domain.events import Recorded
from shared.read_models import holes
from shared.read_models.model import ReadModel

TOPIC = "views"
MOST_AT_ONCE = 800
"""Events that whoever records them applies: it holds the event loop meanwhile, and a merge may be of thousands."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS read_model_positions (
    name TEXT PRIMARY KEY, version BIGINT NOT NULL, generation BIGINT NOT NULL, position BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS read_model_rebuilds (
    name TEXT PRIMARY KEY, prefix TEXT NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL, owner TEXT NOT NULL,
    taken_up_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS read_model_switches (switches BIGINT PRIMARY KEY, position BIGINT NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the live tables of one model are, and which `version` of the model filled them."""

    version: int
    generation: int
    position: int


@cache
def models() -> dict[str, ReadModel]:
    """Return every read model by name."""
    modules = (importlib.import_module(f"{read_models.__name__}.{m.name}") for m in _modules())
    found: list[ReadModel] = [module.READ_MODEL for module in modules if hasattr(module, "READ_MODEL")]
    return {model.name: model for model in found}


def is_apart(name: str) -> bool:
    """Return whether a model follows the log by itself."""
    return bool(getattr(models()[name], "apart", False))


def _modules() -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(read_models.__path__), key=lambda module: module.name)


def create_tables(database: Database) -> None:
    """Create the live tables that are missing; a new model starts at the log's beginning."""
    with database.writing() as tx:
        lock_schema(tx)
        tx.script(SCHEMA)
        tx.script(holes.SCHEMA)
        known = standings(tx)
        for model in models().values():
            if model.name not in known:
                tx.script(model.schema(""))
                tx.script(model.indexes(""))
                tx.run("INSERT INTO read_model_positions VALUES (?, ?, 0, 0)", (model.name, model.version))


def standings(tx: Transaction, *, lock: bool = False, names: Sequence[str] = ()) -> dict[str, Standing]:
    """Return where each model stands, or some; `lock`: nobody else moves them until the transaction ends."""
    tail = " FOR UPDATE" if lock and tx.dialect == "postgres" else ""
    where = f"WHERE name IN ({','.join('?' * len(names))})" if names else ""
    sql = f"SELECT name, version, generation, position FROM read_model_positions {where} ORDER BY name{tail}"
    rows = tx.rows(sql, names)
    return {name: Standing(*rest) for name, *rest in rows if name in models()}


def position(tx: Transaction) -> int:
    """Return the log position that every live model contains."""
    return min((standing.position for name, standing in standings(tx).items() if not is_apart(name)), default=0)


def last_switch(tx: Transaction) -> tuple[int, int]:
    """Return how often other tables were made the live ones, and the log's position then; (0, -1) for never.

    What somebody has read before may be shown no more: of whoever was erased, or what was wrong.
    """
    row = tx.row("SELECT switches, position FROM read_model_switches")
    return (row[0], row[1]) if row else (0, -1)


def note_switch(tx: Transaction) -> None:
    """Say, in the transaction that does it, that other tables are the live ones now."""
    number, _ = last_switch(tx)
    tx.run("DELETE FROM read_model_switches")
    tx.insert_many("read_model_switches", ("switches", "position"), [(number + 1, position(tx))])
    tx.notify(TOPIC)


def take_in(tx: Transaction, events: Sequence[Recorded]) -> None:
    """Apply events to every live model that has not seen them; another process may have been first."""
    together = [name for name in models() if not is_apart(name)]
    moved = []
    holes.note(tx, holes.of(events))
    for name, standing in standings(tx, lock=True, names=together).items():
        if unseen := _unseen(events, standing):
            models()[name].apply(tx, unseen, "")
            moved.append(name)
    if moved:
        move(tx, moved, events[-1].position)
    tx.notify(TOPIC)


def take_in_next(tx: Transaction, events: Sequence[Recorded]) -> None:
    """Apply events that were recorded in this transaction if the live models have all that came before them.

    Otherwise it does nothing: those who follow the log take them in.
    """
    together = [name for name in models() if not is_apart(name)]
    before = events[0].position - 1
    standing = standings(tx, names=together)
    if (
        len(events) > MOST_AT_ONCE
        or len(standing) < len(together)
        or any((each.position, each.version) != (before, models()[name].version) for name, each in standing.items())
    ):
        return
    for name in together:
        models()[name].apply(tx, events, "")
    move(tx, together, events[-1].position)
    tx.notify(TOPIC)


def take_in_apart(tx: Transaction, name: str, events: Sequence[Recorded]) -> None:
    """Apply events to the live tables of a model that follows by itself."""
    standing = standings(tx, lock=True, names=[name])[name]
    unseen = _unseen(events, standing)
    if unseen and standing.version == models()[name].version:
        models()[name].apply(tx, unseen, "")
        move(tx, [name], unseen[-1].position)


def _unseen(events: Sequence[Recorded], standing: Standing) -> Sequence[Recorded]:
    if events and events[0].position > standing.position:
        return events
    return [event for event in events if event.position > standing.position]


def move(tx: Transaction, names: Sequence[str], to: int) -> None:
    """Say how far some models are."""
    marks = ",".join("?" * len(names))
    tx.run(f"UPDATE read_model_positions SET position = ? WHERE name IN ({marks})", (to, *names))
