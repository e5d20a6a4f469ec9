"""Writes a table of PostgreSQL anew while others read and write it: of what was deleted nothing is left in its files.

VACUUM FULL keeps everybody out for as long as it takes. Here a trigger has every change made in a copy too, rows are
copied a few at a time, and only the exchange of the two takes the table's lock, for a moment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any

import psycopg
from psycopg import sql

from shared.database.postgres_likeness import columns_of, copy_storage, is_alike, take_the_place_of

ROWS = 500
LOCK_MILLISECONDS = 100
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
WAIT_SECONDS = 60.0
_LOCK = 6_510_617
_MARK, _TRIGGER = "__anew", "okno_anew"
_KEY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)
"""
_INDEXES = """
SELECT c.relname, pg_get_indexdef(c.oid), i.indisprimary FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass ORDER BY i.indisprimary DESC, c.relname
"""
_OLDER = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND backend_type = 'client backend' AND age(backend_xmin) >= age(%s::xid) LIMIT 1
"""


class Busy(Exception):
    """Somebody has read or written in one transaction all the time."""


def rewrite(connection: psycopg.Connection[Any], table: str) -> None:
    """Write one table anew, which has a primary key that nobody changes. `connection` commits by itself.

    One process at a time does this. Raises Busy, after which everything is as before.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        while not _rewritten(connection, table):
            pass
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def discard_unfinished(connection: psycopg.Connection[Any]) -> None:
    """Remove what a process that died had begun to write anew: everybody writes that too, and it has old rows.

    Within a transaction. A table that is in use is left for the next start; while somebody rewrites, nothing is done.
    """
    tables = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_trigger ON tgrelid = c.oid WHERE tgname = %s", (_TRIGGER,)
    ).fetchall()
    if not tables or not connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchall()[0][0]:
        return
    connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
    for (table,) in tables:
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            _run(connection, "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", table)
            _discard(connection, table)
    connection.execute("SET LOCAL lock_timeout TO DEFAULT")


def _rewritten(connection: psycopg.Connection[Any], table: str) -> bool:
    """Return False when somebody has added a column meanwhile."""
    _clear(connection, table)
    try:
        key = [name for (name,) in connection.execute(_KEY, (table,))]
        names = _begin(connection, table, key)
        _copy(connection, table, key)
        _wait_for_older(connection)
        return _exchange(connection, table, names)
    finally:
        _clear(connection, table)


def _begin(connection: psycopg.Connection[Any], table: str, key: Sequence[str]) -> list[str]:
    """Make the copy, empty, with its indexes and the trigger; return the names of the indexes."""
    indexes = connection.execute(_INDEXES, (table,)).fetchall()
    with _locked(connection, table, "SHARE ROW EXCLUSIVE"):
        _run(connection, "CREATE TABLE {anew} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)", table)
        copy_storage(connection, table, table + _MARK)
        for name, definition, is_primary in indexes:
            connection.execute(_renamed(definition, name, table))
            if is_primary:
                _run(connection, "ALTER TABLE {anew} ADD PRIMARY KEY USING INDEX {name}", table, name=name + _MARK)
        columns = columns_of(connection, table)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        values = sql.SQL(", ").join(sql.SQL("NEW.{}").format(sql.Identifier(name)) for name in columns)
        same = sql.SQL(" AND ").join(map(_same, key))
        _run(connection, _FUNCTION, table, same=same, names=names, values=values)
        _run(connection, _CREATE_TRIGGER, table, trigger=_TRIGGER)
    return [name for name, _, _ in indexes]


_FUNCTION = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE gone {table};
BEGIN
    gone := CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
    DELETE FROM {anew} AS kept WHERE {same};
    IF TG_OP <> 'DELETE' THEN INSERT INTO {anew} ({names}) VALUES ({values}); END IF;
    RETURN NULL;
END $$
"""
"""Its columns are named: should it be left behind, and the table get another column, all can be written still."""
_CREATE_TRIGGER = (
    "CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
)


def _same(name: str) -> sql.Composed:
    return sql.SQL("kept.{0} = gone.{0}").format(sql.Identifier(name))


_COPIED = """
INSERT INTO {anew} ({columns}) SELECT {columns} FROM {table} WHERE {which} FOR SHARE {skipping}
ON CONFLICT DO NOTHING RETURNING {key}
"""


def _copy(connection: psycopg.Connection[Any], table: str, key: Sequence[str]) -> None:
    """Rows are locked while they are copied: whoever deletes one does so before, or after and in the copy too.

    Nobody is waited for with rows in hand: those that somebody else has locked are left out and copied singly. Writers
    take rows in an order of their own, and PostgreSQL would break up the ring by failing one of them.
    """
    columns, keys = (
        sql.SQL(", ").join(map(sql.Identifier, each)) for each in (columns_of(connection, table + _MARK), key)
    )
    names: dict[str, sql.Composable] = {"table": sql.Identifier(table), "anew": sql.Identifier(table + _MARK)}
    names |= {"columns": columns, "key": keys, "values": sql.SQL(", ").join(sql.Placeholder() for _ in key)}
    one = sql.SQL(_COPIED).format(which=sql.SQL("({key}) = ({values})").format(**names), skipping=sql.SQL(""), **names)
    behind: sql.Composable = sql.SQL("TRUE")
    last: tuple[Any, ...] = ()
    while True:
        next_ = sql.SQL("SELECT {key} FROM {table} WHERE {behind} ORDER BY {key} LIMIT {rows}")
        asked = next_.format(behind=behind, rows=sql.Literal(ROWS), **names)
        if not (rows := connection.execute(asked, last).fetchall()):
            return
        part = sql.SQL("{behind} AND ({key}) <= ({values})").format(behind=behind, **names)
        many = sql.SQL(_COPIED).format(which=part, skipping=sql.SQL("SKIP LOCKED"), **names)
        copied = set(connection.execute(many, (*last, *rows[-1])).fetchall())
        for row in (row for row in rows if row not in copied):
            connection.execute(one, row)
        behind, last = sql.SQL("({key}) > ({values})").format(**names), rows[-1]


def _wait_for_older(connection: psycopg.Connection[Any]) -> None:
    """Who took a snapshot before the last rows were copied would not see them: as CREATE INDEX CONCURRENTLY waits."""
    ((horizon,),) = connection.execute("SELECT pg_current_xact_id()::xid::text").fetchall()
    for pause in _pauses(f"a transaction has been open for {WAIT_SECONDS:.0f} s, as while a backup is made"):
        if connection.execute(_OLDER, (horizon,)).fetchone() is None:
            return
        time.sleep(pause)


def _exchange(connection: psycopg.Connection[Any], table: str, indexes: Sequence[str]) -> bool:
    """Return False, with nothing done, for a table that has other columns than its copy."""
    with _locked(connection, table, "ACCESS EXCLUSIVE"):
        if not is_alike(connection, table, table + _MARK):
            return False
        take_the_place_of(connection, table, table + _MARK)
        for name in indexes:
            _run(connection, "ALTER INDEX {anew_name} RENAME TO {name}", table, anew_name=name + _MARK, name=name)
    return True


def _clear(connection: psycopg.Connection[Any], table: str) -> None:
    """Remove what an attempt left that ended half-way."""
    has_trigger = "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = %s"
    if connection.execute(has_trigger, (table, _TRIGGER)).fetchone():
        with _locked(connection, table, "ACCESS EXCLUSIVE"):
            _discard(connection, table)
    else:
        _discard(connection, table)


def _discard(connection: psycopg.Connection[Any], table: str) -> None:
    """All of it or nothing: without the trigger nobody would find the rest."""
    with connection.transaction():
        _run(connection, "DROP FUNCTION IF EXISTS {function}() CASCADE", table)  # and the trigger
        _run(connection, "DROP TABLE IF EXISTS {anew}", table)


@contextmanager
def _locked(connection: psycopg.Connection[Any], table: str, mode: str) -> Iterator[None]:
    """Have the table's lock in a transaction; others wait behind us for LOCK_MILLISECONDS at most."""
    pauses = _pauses(f"{table} has been in use for {WAIT_SECONDS:.0f} s")
    while True:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            try:
                with connection.transaction():
                    _run(connection, f"LOCK TABLE {{table}} IN {mode} MODE", table)
            except psycopg.errors.LockNotAvailable:
                pause = next(pauses)
            else:
                yield
                return
        time.sleep(pause)


def _pauses(told: str) -> Iterator[float]:
    deadline = time.monotonic() + WAIT_SECONDS
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        if time.monotonic() > deadline:
            raise Busy(told)
        yield pause


def _run(connection: psycopg.Connection[Any], text: str, table: str, **more: Any) -> None:
    names = {"table": table, "anew": table + _MARK, "function": f"{table}{_MARK}"}
    names |= {name: value for name, value in more.items() if isinstance(value, str)}
    parts = {name: value for name, value in more.items() if not isinstance(value, str)}
    composed = sql.SQL(text).format(**{name: sql.Identifier(value) for name, value in names.items()}, **parts)
    connection.execute(composed)


def _renamed(definition: str, index: str, table: str) -> Any:
    """Return the definition of an index (pg_get_indexdef) for the copy, which has no index of its own yet."""
    head, _, tail = definition.partition(" USING ")
    kind = "CREATE UNIQUE INDEX" if head.startswith("CREATE UNIQUE") else "CREATE INDEX"
    return sql.SQL(f"{kind} {{}} ON {{}} USING {tail}").format(
        sql.Identifier(index + _MARK), sql.Identifier(table + _MARK)
    )
