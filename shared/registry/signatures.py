"""What each operator has below their mails: their own words with variables, kept until they change them."""

from __future__ import annotations

from uuid import UUID

from shared.database.protocol import Database, Transaction
from shared.domain.signature import SIGNATURE_LIMIT, VARIABLES, unknown_variables
from shared.registry.operators import WrongOperator

SCHEMA = "CREATE TABLE IF NOT EXISTS operator_signatures (operator_id TEXT PRIMARY KEY, signature TEXT NOT NULL)"


class WrongSignature(WrongOperator):
    """What was given cannot stand below a mail; the text says why."""


class Signatures:
    """The signatures of all operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, operator_id: UUID) -> str:
        """Return an operator's signature, its variables not filled in; empty when there is none."""
        return await self._database.read(lambda tx: signature_of(tx, operator_id))

    async def keep(self, operator_id: UUID, given: str) -> str:
        """Keep an operator's signature, or forget it when empty; return it as it is kept. Raises WrongSignature."""
        kept = _checked(given)
        sql = "INSERT INTO operator_signatures VALUES (?, ?) ON CONFLICT (operator_id) DO UPDATE SET signature = ?"
        await self._database.write(lambda tx: tx.run(sql, (str(operator_id), kept, kept)))
        return kept


def signature_of(tx: Transaction, operator_id: UUID) -> str:
    row = tx.row("SELECT signature FROM operator_signatures WHERE operator_id = ?", (str(operator_id),))
    return str(row[0]) if row else ""


def _checked(given: str) -> str:
    text = "\n".join(line.rstrip() for line in given.splitlines()).strip()
    if len(text) > SIGNATURE_LIMIT:
        raise WrongSignature(f"a signature may have {SIGNATURE_LIMIT} characters")
    if unknown := unknown_variables(text, of_mailbox=False):
        there_is = ", ".join("{" + name + "}" for name in VARIABLES)
        raise WrongSignature(f"there is no {{{unknown[0]}}}: a signature may name {there_is}")
    return text
