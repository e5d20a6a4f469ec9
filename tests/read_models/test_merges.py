"""After un-merging everybody, all is as if no merge had ever happened; rebuilt tables are the live ones."""

from __future__ import annotations

from hypothesis import given, settings

from tests.read_models.twins import Step, begun, compare, found_in_search, lives, person


@settings(deadline=None, max_examples=30)
@given(lives)
def test_a_life_with_merges_that_were_undone_is_one_without(life: list[Step]) -> None:
    compare(life)


def test_a_life_that_merges_and_unmerges_much_is_compared() -> None:
    """That the property is not about lives in which nothing was merged."""
    chain = [("merge", n + 1, n) for n in range(6)]
    again = [("unmerge", n, 0) for n in range(3)] + [("merge", a, b) for a in range(5) for b in range(5)]
    assert compare([*chain, *again, ("mail", 3, 1), ("unmerge", 0, 0), ("note", 0, 3)]) > len(chain)


def test_what_is_compared_has_been_found_by_search() -> None:
    with begun(True) as business:
        business.live([("mail", 1, 1), ("merge", 1, 2), ("mail", 2, 4), ("note", 0, 0)])
        found = found_in_search(business.tx)
    assert {len(found["search mail"]), len(found["search note"])} == {2, 1}
    assert len(found[f"search mail {person(1)}"]) == len(found[f"search mail {person(2)}"]) == 2
