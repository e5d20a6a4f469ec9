"""What CREATE TABLE ... LIKE leaves out of a table's copy: storage parameters, the owner, and who may do what."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

_STORAGE = """
SELECT c.reloptions, t.reloptions FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.oid = %s::regclass
"""
_OWNER = (
    "SELECT pg_get_userbyid(relowner), pg_get_userbyid(relowner) = current_user FROM pg_class WHERE oid = %s::regclass"
)
_GRANTS = """
WITH given AS (
    SELECT (aclexplode(relacl)).*, relowner, NULL AS name FROM pg_class WHERE oid = %(table)s::regclass
    UNION ALL
    SELECT (aclexplode(a.attacl)).*, c.relowner, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attrelid = %(table)s::regclass AND NOT a.attisdropped
)
SELECT privilege_type, name, CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee) END, is_grantable
FROM given WHERE grantee <> relowner
"""
_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def take_the_place_of(connection: psycopg.Connection[Any], table: str, copy: str) -> None:
    """Drop the table, where there is one, and call the copy so: whoever may read the one may read the other."""
    (there,) = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() or (None,)
    if there is not None:
        copy_storage(connection, table, copy)
        copy_rights(connection, table, copy)
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(copy), sql.Identifier(table)))


def copy_storage(connection: psycopg.Connection[Any], table: str, copy: str) -> None:
    """Give the copy the storage parameters of the table, and those of its TOAST table."""
    (of_table, of_toast) = connection.execute(_STORAGE, (table,)).fetchone() or (None, None)
    options = [sql.SQL("{} = {}").format(*_option(each)) for each in of_table or ()]
    options += [sql.SQL("toast.{} = {}").format(*_option(each)) for each in of_toast or ()]
    if options:
        set_ = sql.SQL("ALTER TABLE {} SET ({})")
        connection.execute(set_.format(sql.Identifier(copy), sql.SQL(", ").join(options)))


def copy_rights(connection: psycopg.Connection[Any], table: str, copy: str) -> None:
    """Give the copy the table's owner and grants, and no others (ALTER DEFAULT PRIVILEGES may have given some)."""
    for privilege, column, grantee, _ in connection.execute(_GRANTS, {"table": copy}).fetchall():
        _right(connection, "REVOKE {} ON {} FROM {}", copy, (privilege, column, grantee))
    for privilege, column, grantee, may_give_on in connection.execute(_GRANTS, {"table": table}).fetchall():
        tail = " WITH GRANT OPTION" if may_give_on else ""
        _right(connection, "GRANT {} ON {} TO {}" + tail, copy, (privilege, column, grantee))
    owner, is_ours = connection.execute(_OWNER, (table,)).fetchall()[0]
    if not is_ours:
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(copy), sql.Identifier(owner)))


def is_alike(connection: psycopg.Connection[Any], table: str, copy: str) -> bool:
    """Return whether both have the same columns: somebody may have added one since the copy was made."""
    return connection.execute(_COLUMNS, (table,)).fetchall() == connection.execute(_COLUMNS, (copy,)).fetchall()


def columns_of(connection: psycopg.Connection[Any], table: str) -> list[str]:
    return [name for name, _, _ in connection.execute(_COLUMNS, (table,)).fetchall()]


def _option(text: str) -> tuple[sql.Composable, sql.Composable]:
    name, _, value = text.partition("=")
    return sql.Identifier(name), sql.Literal(value)


def _right(
    connection: psycopg.Connection[Any], text: Any, copy: str, right: tuple[str, str | None, str | None]
) -> None:
    privilege, column, grantee = right
    what: sql.Composable = sql.SQL(privilege)  # from aclexplode: SELECT, INSERT, ...
    if column is not None:
        what = sql.SQL("{} ({})").format(what, sql.Identifier(column))
    whom = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
    connection.execute(sql.SQL(text).format(what, sql.Identifier(copy), whom))
