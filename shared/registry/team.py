"""Who of the operators can come in, and as what; somebody who can let the others in again is always left.

Nothing says `locked`: whoever has neither a password nor a token nor a link that still waits for them has no way in,
and a new link opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal
from uuid import UUID

from shared.clock import now, to_text
from shared.database.protocol import Database, Transaction
from shared.registry.operators import ROLES, Operator, Role, WrongOperator, listed

Access = Literal["active", "invited", "locked"]


@dataclass(frozen=True, slots=True)
class Member:
    """`access` active: comes in by a password or a token; invited: has a link to use; locked: has no way in."""

    operator: Operator
    added_at: str
    access: Access
    signed_in_at: str | None
    """When they last signed in; None where nobody has noted it."""


class Team:
    """The operators of one business, as whoever answers for them sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Member]:
        return await self._database.read(partial(_members, at=to_text(now())))

    async def lock(self, operator_id: UUID) -> None:
        """Let an operator in no more, by whatever they know, until they are given a new link.

        Raises WrongOperator for the last admin who can come in.
        """

        def lock(tx: Transaction) -> None:
            _leave_an_admin(tx, operator_id)
            tx.run("UPDATE operators SET password = '' WHERE id = ?", (str(operator_id),))
            tx.run("DELETE FROM operator_tokens WHERE operator_id = ?", (str(operator_id),))

        await self._database.write(lock)

    async def set_role(self, operator_id: UUID, role: Role) -> None:
        """Give an operator another role, from their next request on. Raises WrongOperator for the last admin."""
        if role not in ROLES:
            raise WrongOperator("a role is one of " + ", ".join(ROLES))

        def change(tx: Transaction) -> None:
            if role != "admin":
                _leave_an_admin(tx, operator_id)
            tx.run("UPDATE operators SET role = ? WHERE id = ?", (role, str(operator_id)))

        await self._database.write(change)


def _leave_an_admin(tx: Transaction, operator_id: UUID) -> None:
    """Raises WrongOperator where nobody but this admin can let anybody in; of two who do it at once one waits."""
    lock = " ORDER BY id FOR UPDATE" if tx.dialect == "postgres" else ""
    admins: dict[str, object] = dict(tx.rows(f"SELECT id, password <> '' FROM operators WHERE role = 'admin'{lock}"))
    can_sign_in = admins.pop(str(operator_id), None)
    if can_sign_in is not None and not any(admins.values()):
        raise WrongOperator("this is the last admin who can sign in: nobody could let anybody in again")


def _members(tx: Transaction, at: str) -> list[Member]:
    added: dict[str, str] = dict(tx.rows("SELECT id, created_at FROM operators"))
    with_password = {id_ for (id_,) in tx.rows("SELECT id FROM operators WHERE password <> ''")}
    tokens = (
        "SELECT DISTINCT operator_id FROM operator_tokens WHERE (expires_at IS NULL OR expires_at >= ?) AND purpose"
    )
    with_token = {id_ for (id_,) in tx.rows(f"{tokens} <> 'setup'", (at,))}
    with_link = {id_ for (id_,) in tx.rows(f"{tokens} = 'setup'", (at,))}
    seen: dict[str, str] = dict(tx.rows("SELECT operator_id, at FROM operator_sign_ins"))

    def member(operator: Operator) -> Member:
        id_ = str(operator.id)
        access: Access = "active" if id_ in with_password | with_token else "invited" if id_ in with_link else "locked"
        return Member(operator, added[id_], access, seen.get(id_))

    return [member(operator) for operator in listed(tx)]
