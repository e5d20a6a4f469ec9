"""Whether all pages of a key store are damaged, or OKNO_SECRET_KEY is another one: the keys of what travels tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.keys.pages import KeyPages, WrongKeyStore
from shared.keys.wire import WireKeys

SECRET, ANOTHER = b"s" * 32, b"x" * 32


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    """Of a young installation: one page of keys, and a key of what travels."""
    database = open_database(f"sqlite:///{tmp_path / 'keys.db'}")
    KeyPages(database, SECRET).create_tables()
    KeyPages(database, SECRET).make(1)
    wire = WireKeys(database, SECRET)
    wire.create_tables()
    await wire.present()
    return database


def sealed(database: Database) -> list[tuple[bytes, bytes]]:
    with database.reading() as tx:
        return tx.rows("SELECT id, sealed FROM key_pages")


def damage(database: Database) -> bytes:
    ((id_, page),) = sealed(database)
    with database.writing() as tx:
        tx.run("UPDATE key_pages SET sealed = ?", (bytes([page[0] ^ 1]) + page[1:],))
    return bytes(id_)


async def test_the_only_page_can_be_given_up_when_it_is_damaged(database: Database) -> None:
    pages, id_ = KeyPages(database, SECRET), damage(database)
    pages.refuse_another_secret()
    assert pages.missing([id_]) == {id_}
    pages.give_up([id_])
    assert pages.missing([id_]) == set()
    assert set(pages.load([id_])[id_]) == {0}
    await database.close()


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_another_secret_is_refused_and_gives_up_nothing(database: Database, is_damaged: bool) -> None:
    if is_damaged:
        damage(database)
    before, pages = sealed(database), KeyPages(database, ANOTHER)
    for refused in (pages.refuse_another_secret, lambda: pages.give_up([bytes(before[0][0])])):
        with pytest.raises(WrongKeyStore):
            refused()
    assert sealed(database) == before
    await database.close()
