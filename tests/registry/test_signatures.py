"""Signatures of operators, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.registry.operators import Operators
from shared.registry.signatures import Signatures
from tests.stores import create_all_tables


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_database(any_url)
    create_all_tables(opened)
    yield opened
    await opened.close()


async def test_a_signature_is_kept_for_each_changed_and_forgotten(database: Database) -> None:
    operators, signatures = Operators(database), Signatures(database)
    anna, ben = [await operators.add(f"{name}@okno.example", "operator") for name in ("anna", "ben")]
    await signatures.keep(anna.id, "Анна\n{organisation}")
    await signatures.keep(ben.id, "Ben")
    await signatures.keep(ben.id, "Ben {operator}")
    assert [await signatures.of(each.id) for each in (anna, ben)] == ["Анна\n{organisation}", "Ben {operator}"]
    await signatures.keep(anna.id, "")
    assert [await signatures.of(each.id) for each in (anna, ben)] == ["", "Ben {operator}"]
