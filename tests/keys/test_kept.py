"""What was used last is kept, and never more than was said."""

from __future__ import annotations

from shared.keys.kept import Kept


def ids(first: int, last: int) -> list[bytes]:
    return [bytes((number,)) for number in range(first, last + 1)]


def test_never_more_is_kept_than_was_said() -> None:
    kept = Kept[int](10)
    for number in range(100):
        kept.keep({bytes((number,)): number, bytes((number + 100,)): number})
        assert len(kept) <= 10
    kept.keep(dict.fromkeys(ids(0, 99), 7))
    assert len(kept) <= 10


def test_what_is_used_outlives_what_is_not() -> None:
    kept = Kept[int](10)
    kept.keep({b"used": 1, b"unused": 2})
    for id_ in ids(0, 49):
        kept.keep({id_: 0})
        assert kept.of([b"used", b"never"]) == {b"used": 1}
    assert kept.of([b"unused"]) == {}


def test_the_last_half_is_there() -> None:
    kept = Kept[int](10)
    kept.keep({id_: id_[0] for id_ in ids(0, 49)})
    assert kept.of(ids(0, 49)) | {id_: id_[0] for id_ in ids(45, 49)} == kept.of(ids(0, 49))
    kept.clear()
    assert (kept.of(ids(0, 49)), len(kept)) == ({}, 0)
