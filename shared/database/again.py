"""Writes that nobody can be first with: a Conflict only means that the whole transaction is to be done again.

PostgreSQL fails one of two transactions that wait for each other; the unique keys of such a job have an ON CONFLICT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Transaction

T = TypeVar("T")
TRIES = 10
PAUSE_SECONDS = 0.05


async def write_again(database: Database, job: Callable[[Transaction], T], *, brief: bool = False) -> T:
    """As `Database.write`, for such a job. Raises DatabaseUnavailable also when it meets a Conflict all the time."""
    for number in count(1):
        try:
            return await database.write(job, brief=brief)
        except Conflict as error:
            if number == TRIES:
                raise DatabaseUnavailable(f"{TRIES} times somebody else was in the way: {error}") from error
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError
