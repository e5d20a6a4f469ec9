"""What is made quickly is what would have been made slowly (shared/quick.py, shared/values.py)."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, RFC_4122, UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.inbound import Address
from shared.parsed import Parsed
from shared.quick import named_uuid, ordered_uuid
from shared.values import dataclass
from tests.examples import AT, inbound, received


@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 7
    name: str = ""


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_named_uuid_is_that_of_the_standard_library(namespace: UUID, name: str) -> None:
    made = named_uuid(namespace, name)
    assert (made, made.version, made.variant, str(made), hash(made), made.is_safe) == (
        (known := uuid5(namespace, name)), 5, known.variant, str(known), hash(known), known.is_safe
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(made)) == known


@given(st.datetimes(timezones=st.just(UTC)), st.text(st.characters(exclude_categories=["Cs"])))
def test_an_ordered_uuid_begins_with_its_time(at: datetime, name: str) -> None:
    made = ordered_uuid(at, NAMESPACE_URL, name)
    assert (made.version, made.variant) == (8, RFC_4122)
    since = max(at, datetime(1970, 1, 1, tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert made.int >> 92 == min(since // timedelta(milliseconds=64), 2**36 - 1)
    assert ordered_uuid(at, NAMESPACE_URL, name + "x") != made


def test_ordered_uuids_of_one_moment_differ_in_their_first_half_and_in_their_second() -> None:
    made = [ordered_uuid(AT, NAMESPACE_URL, str(number)).int for number in range(2000)]
    assert len({id_ >> 64 for id_ in made}) > 1995
    assert len({id_ & (2**62 - 1) for id_ in made}) == 2000


def test_a_value_compares_hashes_and_travels_like_a_frozen_dataclass() -> None:
    point = Point(1, name="here")
    assert (point.x, point.y, point.name, type(point), repr(point)) == (
        1, 7, "here", Point, "Point(x=1, y=7, name='here')"
    )  # fmt: skip
    assert point == Point(1, 7, "here") != Point(2)
    assert hash(point) == hash(Point(1, 7, "here"))
    assert replace(point, y=8) == Point(1, 8, "here")
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    assert msgspec.json.decode(msgspec.json.encode(point), type=Point) == point
    with pytest.raises(AttributeError):
        point.z = 2  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="missing 1 required"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword"):
        Point(1, z=2)  # type: ignore[call-arg]


PARSED = Parsed("7", Address("email", "anna@example.com"), AT)


@pytest.mark.parametrize("made", [inbound(), received(), PARSED], ids=lambda made: type(made).__name__)
def test_the_values_of_a_message_stand_in_their_fields(made: object) -> None:
    cls = type(made)
    values = {each.name: getattr(made, each.name) for each in fields(cls)}  # type: ignore[arg-type]
    assert cls(**values) == cls(*values.values()) == made
    marks = [f"value of {name}" for name in values]
    assert [getattr(cls(*marks), name) for name in values] == marks
