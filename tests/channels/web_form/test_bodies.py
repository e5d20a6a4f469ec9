"""What odd senders put into a body: every field is kept, and no body costs more memory than its bytes are worth."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from shared.channels.web_form import body
from shared.connector import BadInput
from shared.parsed import ParsedFile

JSON = "application/json"


def fields(data: bytes) -> tuple[tuple[str, str], ...]:
    return body.read(data, JSON).fields


# --- JSON -------------------------------------------------------------------------------------------------


def test_a_name_that_comes_twice_in_json_is_two_fields() -> None:
    said = b'{"size": "S", "email": "a@example.com", "size": "M", "where": {"city": "a", "city": "b"}}'
    assert fields(said) == (
        ("size", "S"), ("email", "a@example.com"), ("size", "M"), ("where.city", "a"), ("where.city", "b"),
    )  # fmt: skip


def test_an_empty_list_or_object_in_json_is_a_blank_field() -> None:
    said = {"chosen": [], "more": {}, "in": {"nothing": [[], {}]}, "name": "Анна"}
    assert fields(json.dumps(said).encode()) == (
        ("chosen", ""), ("more", ""), ("in.nothing", ""), ("in.nothing", ""), ("name", "Анна"),
    )  # fmt: skip
    assert fields(b"{}") == ()


@pytest.mark.parametrize(
    "said",
    [
        {"k" * 500_000: {f"a{n}": 1 for n in range(500)}},
        {"k" * 500_000: [{"a": 1}] * 500},
        {f"a{n}": 1 for n in range(50_000)},
        {"a": [1] * 200_000},
    ],
    ids=["a long name over many", "a long name over a list", "many fields", "many values of one field"],
)
def test_json_that_would_grow_is_refused_before_it_does(said: object) -> None:
    data = json.dumps(said).encode()
    tracemalloc.start()
    try:
        with pytest.raises(BadInput) as refused:
            body.read(data, JSON)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (refused.value.status, most < 40 * 1024 * 1024) == (413, True)


# --- multipart --------------------------------------------------------------------------------------------


def part(parameters: str) -> body.Submission:
    head = f"--b\r\nContent-Disposition: form-data; {parameters}\r\nContent-Type: application/pdf\r\n\r\n"
    return body.read(head.encode() + b"%PDF\xff\r\n--b--\r\n", "multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("name=f; filename*=utf-8''%D0%9E%D1%82%D1%87%D1%91%D1%82.pdf", "Отчёт.pdf"),
        ('name="f"; filename="=?utf-8?B?0J4=?="; filename*=UTF-8\'ru\'%D0%9E.pdf', "О.pdf"),
        ("name=\"f\"; filename*=iso-8859-1''r%E9sum%E9.pdf", "résumé.pdf"),
        ("name=f; filename*=utf-8''..%2F..%2Fetc%2Fpass%00wd", "pass\ufffdwd"),
        ("name=f; filename=\"plain.pdf\"; filename*=utf-9''x", "plain.pdf"),
        ("name=f; filename*=utf-8''a%E2%80%AEfdp.exe", "afdp.exe"),
        ("name=f; filename=\"a; filename*=utf-8''b\"", "a; filename*=utf-8''b"),
    ],
)
def test_a_file_whose_name_is_told_in_the_extended_way_is_a_file(parameters: str, name: str) -> None:
    assert part(parameters) == body.Submission((), (ParsedFile(name, "application/pdf", b"%PDF\xff"),))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("name*=utf-8''%D0%B0", "а"),
        ("name=\"b\"; Name*=UTF-8'ru'%D0%B0", "а"),
        ("name=\"a; name*=utf-8''b\"", "a; name*=utf-8''b"),
    ],
)
def test_a_field_whose_name_is_told_in_the_extended_way_has_it(parameters: str, name: str) -> None:
    head = f"--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n"
    told = body.read(head.encode() + b"yes\r\n--b--\r\n", "multipart/form-data; boundary=b")
    assert told == body.Submission(((name, "yes"),), ())


def test_a_name_that_only_looks_extended_makes_no_file() -> None:
    assert part("name=\"a; filename*=utf-8''b\"").files == ()
