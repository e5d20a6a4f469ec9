"""Another process: `python -m tests.database.child URL notify|create|lead`."""

from __future__ import annotations

import asyncio
import sys

from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.database.schema import create_tables


def add(tx: Transaction) -> None:
    tx.run("INSERT INTO things (id) VALUES (7)")
    tx.notify("news")


async def notify(database: Database) -> None:
    await database.write(add)


async def create(database: Database) -> None:
    from tests.stores import create_all_tables

    create_tables(database, [f"CREATE TABLE IF NOT EXISTS t{n} (id TEXT PRIMARY KEY)" for n in range(10)])
    create_all_tables(database)


async def lead(database: Database) -> None:
    async with database.leadership("projector"):
        print("leading", flush=True)
        await asyncio.sleep(60)


async def main(url: str, action: str) -> None:
    database = open_database(url)
    await {"notify": notify, "create": create, "lead": lead}[action](database)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
