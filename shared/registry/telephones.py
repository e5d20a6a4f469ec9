"""Where each operator is reached by telephone: what click to call rings first. A number, or an extension of the PBX."""

from __future__ import annotations

import re
from uuid import UUID

from shared.database.protocol import Database
from shared.registry.operators import WrongOperator

SCHEMA = "CREATE TABLE IF NOT EXISTS operator_telephones (operator_id TEXT PRIMARY KEY, telephone TEXT NOT NULL)"
_TELEPHONE = re.compile(r"\+?[0-9]{2,15}(-[0-9]{1,6})?")


class WrongTelephone(WrongOperator):
    """What was given is no number and no extension; the text says what is."""


class Telephones:
    """The telephones of all operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, operator_id: UUID) -> str:
        """Return an operator's telephone, empty when none is known."""
        sql = "SELECT telephone FROM operator_telephones WHERE operator_id = ?"
        row = await self._database.read(lambda tx: tx.row(sql, (str(operator_id),)))
        return str(row[0]) if row else ""

    async def keep(self, operator_id: UUID, given: str) -> str:
        """Keep an operator's telephone, or forget it when empty; return it as it is kept. Raises WrongTelephone."""
        telephone = telephone_of(given) if given.strip() else ""
        sql = "INSERT INTO operator_telephones VALUES (?, ?) ON CONFLICT (operator_id) DO UPDATE SET telephone = ?"
        values = (str(operator_id), telephone, telephone)
        await self._database.write(lambda tx: tx.run(sql, values))
        return telephone


def telephone_of(given: str) -> str:
    """Return a number or extension without its decoration. Raises WrongTelephone."""
    plain = re.sub(r"[\s().]", "", given)
    for spelled in (plain, plain.replace("-", "")):
        if _TELEPHONE.fullmatch(spelled):
            return spelled
    raise WrongTelephone("a telephone is a number such as +74951234567, or an extension of 2 digits or more")
