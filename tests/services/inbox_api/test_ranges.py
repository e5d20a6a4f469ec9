"""Ranges as RFC 9110, section 14, has them."""

from __future__ import annotations

import pytest

from services.inbox_api.ranges import Span, Unsatisfiable, span_of

TAG = '"abc"'


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-", Span(0, 99)),
        ("bytes=0-0", Span(0, 0)),
        ("bytes=10-19", Span(10, 19)),
        ("bytes=90-1000", Span(90, 99)),
        ("bytes=99-", Span(99, 99)),
        ("bytes=-1", Span(99, 99)),
        ("bytes=-1000", Span(0, 99)),
        ("Bytes = 5-6 ", Span(5, 6)),
    ],
)
def test_one_range_is_given(asked: str, span: Span) -> None:
    assert span_of(asked, "", TAG, 100) == span


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_without_a_byte_is_refused(asked: str) -> None:
    with pytest.raises(Unsatisfiable, match=r"^bytes \*/100$"):
        span_of(asked, "", TAG, 100)


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-5"])
def test_an_empty_file_has_no_range(asked: str) -> None:
    with pytest.raises(Unsatisfiable, match=r"^bytes \*/0$"):
        span_of(asked, "", TAG, 0)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "items=0-5",
        "bytes=0-1,5-6",
        "bytes=٠-٩",
        f"bytes={'9' * 40}-",
    ],
)
def test_what_cannot_be_understood_or_is_several_means_the_whole(asked: str) -> None:
    assert span_of(asked, "", TAG, 100) is None


@pytest.mark.parametrize(
    ("only_if", "span"),
    [(TAG, Span(0, 4)), ('"other"', None), (f"W/{TAG}", None), ("Sat, 01 Jan 2028 00:00:00 GMT", None)],
)
def test_a_range_of_another_version_means_the_whole(only_if: str, span: Span | None) -> None:
    assert span_of("bytes=0-4", only_if, TAG, 100) == span
