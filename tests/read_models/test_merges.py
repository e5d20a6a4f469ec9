"""After un-merging everybody, all is as if no merge had ever happened; rebuilt tables are the live ones."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from shared.database.open import open_database
from tests.read_models.twins import (
    BEGINNING,
    LIVED,
    PEOPLE,
    Business,
    Step,
    begun,
    compare,
    found_in_search,
    live_both,
    lives,
    person,
    shown,
)

CHAIN: list[Step] = [("merge", n + 1, n) for n in range(6)]
AGAIN: list[Step] = [("unmerge", n, 0) for n in range(3)] + [("merge", a, b) for a in range(5) for b in range(5)]
MUCH: list[Step] = [*CHAIN, *AGAIN, ("mail", 3, 1), ("unmerge", 0, 0), ("note", 0, 3)]


@settings(deadline=None, max_examples=30)
@given(lives)
def test_a_life_with_merges_that_were_undone_is_one_without(life: list[Step]) -> None:
    compare(life)


def test_a_life_that_merges_and_unmerges_much_is_compared() -> None:
    """That the property is not about lives in which nothing was merged."""
    assert compare(MUCH).merges > len(CHAIN)


def test_a_merge_is_undone_more_than_100_events_and_many_merges_later() -> None:
    chance = Random(20_261_121)
    later = [(chance.choice((*LIVED, "merge")), chance.randrange(7), chance.randrange(7)) for _ in range(90)]
    lived = compare([("merge", 1, 0), *later])
    assert lived.farthest > 100
    assert lived.merges > 3


def test_call_backs_of_those_who_were_merged_and_not_reached_are_as_before() -> None:
    missed = [("call", PEOPLE, 0), ("call", PEOPLE, 1)]
    together = [("merge", PEOPLE, 0), ("merge", PEOPLE + 1, 0)]
    compare([*missed, *together, ("note", 0, 0), ("unmerge", 0, 0)], call_backs=True)


@pytest.mark.cluster
async def test_a_life_with_merges_that_were_undone_is_one_without_on_postgresql(furnished_url: str) -> None:
    database = open_database(furnished_url)
    with database.writing() as tx, begun(False) as alone:
        merged = Business(True, tx)
        merged.live(BEGINNING)
        assert live_both(MUCH, merged, alone).merges > len(CHAIN)
        reached = merged.ever_merged()
        assert in_any_order(shown(merged, reached)) == in_any_order(shown(alone, reached))
    await database.close()


def in_any_order(found: dict[str, Any]) -> dict[str, Any]:
    """What is suggested at one moment stands in the order in which the database told who claims an address."""
    return {name: sorted(each, key=repr) if name.startswith("suggestions") else each for name, each in found.items()}


def test_what_is_compared_has_been_found_by_search() -> None:
    with begun(True) as business:
        business.live([("mail", 1, 1), ("merge", 1, 2), ("mail", 2, 4), ("note", 0, 0)])
        found = found_in_search(business.tx)
    assert {len(found["search mail"]), len(found["search note"])} == {2, 1}
    assert len(found[f"search mail {person(1)}"]) == len(found[f"search mail {person(2)}"]) == 2
