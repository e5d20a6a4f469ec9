"""Operators, their sessions and API tokens, and the one-time links that let them set a password."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Literal, TypeVar
from uuid import UUID, uuid4

from shared.clock import now, to_text
from shared.database.protocol import Conflict, Database, Row, Transaction
from shared.registry.passwords import SHORTEST_PASSWORD, hash_password, is_password, new_token, token_hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS operators (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, password TEXT NOT NULL,
    language TEXT, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS operator_tokens (
    hash TEXT PRIMARY KEY, operator_id TEXT NOT NULL, purpose TEXT NOT NULL, expires_at TEXT
);
CREATE TABLE IF NOT EXISTS operator_sign_ins (operator_id TEXT PRIMARY KEY, at TEXT NOT NULL)
"""
T = TypeVar("T")
Role = Literal["admin", "operator", "analyst"]
Purpose = Literal["session", "api", "setup"]
ROLES: tuple[Role, ...] = ("admin", "operator", "analyst")
SESSION = timedelta(days=30)
SETUP_LINK = timedelta(days=7)
NAME_LIMIT = 100
MOST_WAITING = 20
"""Passwords that wait to be hashed, which takes some 50 ms each: one more would have been given up on."""
FIRST_ADMIN = "admin@okno.invalid"
"""Until the first operator gives an address of their own."""
_COLUMNS = "id, email, name, role, language"


class WrongOperator(Exception):
    """An operator cannot be added or changed as asked; the text says why."""


class TooManyPasswords(Exception):
    """So many passwords wait to be hashed already that this one is not even looked at."""


@dataclass(frozen=True, slots=True)
class Operator:
    id: UUID
    email: str
    name: str
    role: Role
    language: str | None


class Operators:
    """The operators of one business."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hashing, self._waiting = asyncio.Semaphore(), 0

    async def add(self, email: str, role: Role, name: str = "") -> Operator:
        """Add an operator without a password. Raises WrongOperator."""
        if "@" not in email or role not in ROLES:
            raise WrongOperator("an operator needs an e-mail address and one of the roles " + ", ".join(ROLES))
        named = _checked_name(name) or email.strip().split("@")[0][:NAME_LIMIT]
        operator = Operator(uuid4(), email.strip().lower(), named, role, None)
        row = (str(operator.id), operator.email, operator.name, role, "", None, to_text(now()))
        try:
            await self._database.write(lambda tx: tx.run("INSERT INTO operators VALUES (?, ?, ?, ?, ?, ?, ?)", row))
        except Conflict as error:
            raise WrongOperator(f"{operator.email} is an operator already") from error
        return operator

    async def all(self) -> list[Operator]:
        return await self._database.read(listed)

    async def find(self, email: str) -> Operator:
        """Raises WrongOperator."""
        for operator in await self.all():
            if operator.email == email.strip().lower():
                return operator
        raise WrongOperator(f"no operator {email}: add one with `okno operators add`")

    async def create_token(self, operator_id: UUID, purpose: Purpose) -> str:
        """Return a new token; sessions last 30 days, setup links 7 or until a newer one, API tokens until revoked."""
        token = new_token()

        def keep(tx: Transaction) -> None:
            if purpose == "setup":
                _end_links(tx, operator_id)
            _keep_token(tx, token, operator_id, purpose)

        await self._database.write(keep)
        return token

    async def begin_session(self, operator_id: UUID) -> str | None:
        """Return a new token for a browser; None where the operator was locked since the password was looked at."""
        token = new_token()

        def begin(tx: Transaction) -> bool:
            lock = " FOR UPDATE" if tx.dialect == "postgres" else ""
            sql = f"SELECT 1 FROM operators WHERE id = ? AND password <> ''{lock}"
            if tx.row(sql, (str(operator_id),)) is None:
                return False
            _keep_token(tx, token, operator_id, "session")
            noted = (
                "INSERT INTO operator_sign_ins VALUES (?, ?) ON CONFLICT (operator_id) DO UPDATE SET at = excluded.at"
            )
            tx.run(noted, (str(operator_id), to_text(now())))
            return True

        return token if await self._database.write(begin) else None

    async def of_token(self, token: str, purposes: tuple[Purpose, ...]) -> Operator | None:
        """Return whose token this is, None for an unknown, expired or other kind of token."""
        return await self._database.read(lambda tx: _of_token(tx, token, purposes))

    async def revoke(self, token: str) -> None:
        await self._database.write(
            lambda tx: tx.run("DELETE FROM operator_tokens WHERE hash = ?", (token_hash(token),))
        )

    async def revoke_all(self, operator_id: UUID) -> int:
        """Make every token of an operator void, whatever it is for; return how many there were."""
        sql = "DELETE FROM operator_tokens WHERE operator_id = ?"
        return await self._database.write(lambda tx: tx.run(sql, (str(operator_id),)))

    async def sign_in(self, email: str, password: str) -> Operator | None:
        """Return the operator when the password is right. An unknown address takes as long as a wrong password.

        Raises TooManyPasswords.
        """
        sql = f"SELECT {_COLUMNS}, password FROM operators WHERE email = ?"
        row = await self._database.read(lambda tx: tx.row(sql, (email.strip().lower(),)))
        right = await self._hashed(lambda: is_password(password, row[-1] if row and row[-1] else _nobody()))
        return _operator(row[:-1]) if row and right else None

    async def set_up(self, token: str, email: str, name: str, password: str) -> Operator:
        """Use a one-time setup link: give its operator an address, a name and a password.

        What was begun with an earlier password is signed out, and earlier links are void. Raises WrongOperator,
        TooManyPasswords.
        """
        if len(password) < SHORTEST_PASSWORD:
            raise WrongOperator(f"the password needs at least {SHORTEST_PASSWORD} characters")
        if "@" not in email:
            raise WrongOperator("the e-mail address is not one")
        name = _checked_name(name)
        hashed = await self._hashed(lambda: hash_password(password))

        def use(tx: Transaction) -> Operator:
            known = _of_token(tx, token, ("setup",))
            used = tx.run("DELETE FROM operator_tokens WHERE hash = ?", (token_hash(token),))
            if known is None or not used:
                raise WrongOperator("this link was used, has expired or there is a newer one: ask for a new one")
            sql = "UPDATE operators SET email = ?, name = ?, password = ? WHERE id = ?"
            tx.run(sql, (email.strip().lower(), name or known.name, hashed, str(known.id)))
            earlier = "DELETE FROM operator_tokens WHERE operator_id = ? AND purpose IN ('session', 'setup')"
            tx.run(earlier, (str(known.id),))
            return Operator(known.id, email.strip().lower(), name or known.name, known.role, known.language)

        try:
            return await self._database.write(use)
        except Conflict as error:
            raise WrongOperator(f"{email} is an operator already") from error

    async def _hashed(self, job: Callable[[], T]) -> T:
        """Run what hashes a password: one at a time, and not where everybody's reading waits behind it."""
        if self._waiting >= MOST_WAITING:
            raise TooManyPasswords
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(job)
        finally:
            self._waiting -= 1


def listed(tx: Transaction) -> list[Operator]:
    """Return all operators, those who were added first before the others."""
    return [_operator(row) for row in tx.rows(f"SELECT {_COLUMNS} FROM operators ORDER BY created_at, id")]


async def first_setup_token(database: Database) -> str | None:
    """Return a new one-time token for the first operator; None once somebody has a password."""
    operators = Operators(database)
    if await database.read(lambda tx: tx.row("SELECT 1 FROM operators WHERE password <> '' LIMIT 1")):
        return None
    everybody = await operators.all()
    admins = [operator for operator in everybody if operator.role == "admin"]
    first = admins[0] if admins else await _first_admin(operators)
    return await operators.create_token(first.id, "setup")


async def _first_admin(operators: Operators) -> Operator:
    try:
        return await operators.add(FIRST_ADMIN, "admin", "Admin")
    except WrongOperator:  # another process that starts was first
        return await operators.find(FIRST_ADMIN)


def _checked_name(given: str) -> str:
    name = given.strip()
    if len(name) > NAME_LIMIT:
        raise WrongOperator(f"a name has up to {NAME_LIMIT} characters")
    return name


def _end_links(tx: Transaction, operator_id: UUID) -> None:
    """Make an operator's links void: of two that are made at once only one stays."""
    if tx.dialect == "postgres":
        tx.run("SELECT 1 FROM operators WHERE id = ? FOR UPDATE", (str(operator_id),))
    tx.run("DELETE FROM operator_tokens WHERE operator_id = ? AND purpose = 'setup'", (str(operator_id),))


def _keep_token(tx: Transaction, token: str, operator_id: UUID, purpose: Purpose) -> None:
    lasts = {"session": SESSION, "setup": SETUP_LINK}.get(purpose)
    row = (token_hash(token), str(operator_id), purpose, to_text(now() + lasts) if lasts else None)
    tx.run("INSERT INTO operator_tokens VALUES (?, ?, ?, ?)", row)


def _of_token(tx: Transaction, token: str, purposes: tuple[Purpose, ...]) -> Operator | None:
    sql = (
        f"SELECT {', '.join('o.' + c for c in _COLUMNS.split(', '))}, t.purpose, t.expires_at"
        " FROM operator_tokens t JOIN operators o ON o.id = t.operator_id WHERE t.hash = ?"
    )
    row = tx.row(sql, (token_hash(token),))
    if row is None or row[-2] not in purposes or (row[-1] is not None and row[-1] < to_text(now())):
        return None
    return _operator(row[:-2])


def _operator(row: Row) -> Operator:
    id_, email, name, role, language = row
    return Operator(UUID(id_), email, name, role, language)


@cache
def _nobody() -> str:
    return hash_password(new_token())
