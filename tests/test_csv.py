"""CSV files as they come: encodings, separators, Excel's habits; cells that no spreadsheet runs; addresses in them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import phone_numbers
from shared.csv_cells import guarded, read
from shared.csv_file import Shape, WrongFile, rows_of, shape_of
from shared.domain import identity

TEXT = 'Имя;Заметки\r\nАнна;"a;""b""\r\nc"\r\n\r\n;\r\nБорис;\r\n'
ROWS = [(2, ["Анна", 'a;"b"\r\nc']), (5, ["Борис", ""])]


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("windows-1251", "windows-1251"), ("utf-16", "utf-16")],
)
def test_the_encoding_is_found_out(encoding: str, named: str) -> None:
    file = io.BytesIO(TEXT.encode(encoding))
    shape = shape_of(file)
    assert shape == Shape(named, ";", ("Имя", "Заметки"), hint=False)
    assert list(rows_of(file, shape)) == ROWS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found_out_whatever_the_cells_have_in_them(separator: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([["a", "b"], ["1,2,3;4;5\t6\t7", "x"], ["y;", "z,,"]])
    assert shape_of(io.BytesIO(text.getvalue().encode())).separator == separator


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_hint_that_excel_writes_is_no_row_of_headings(first: str) -> None:
    file = io.BytesIO(f"{first}a,x;b\r\n1;2\r\n".encode())
    shape = shape_of(file)
    assert (shape.separator, shape.headings) == (";", ("a,x", "b"))
    assert list(rows_of(file, shape)) == [(3, ["1", "2"])]


def test_a_file_of_one_column_needs_no_separator() -> None:
    file = io.BytesIO(b"email\na@b.de\n")
    assert list(rows_of(file, shape_of(file))) == [(2, ["a@b.de"])]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xef\xbb\xbf", b"\n\n", b"a\0b\n", b"\x98\x98;\xff\n", b";;\n1;2\n", b",".join([b"x"] * 501)],
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(WrongFile):
        shape_of(io.BytesIO(data))


@pytest.mark.parametrize("cell", ['"open', f'"{"x" * 200_000}"', '"a"b'])
def test_a_row_that_cannot_be_read_is_named(cell: str) -> None:
    file = io.BytesIO(f"a,b\n1,2\n{cell}\n".encode())
    shape = shape_of(io.BytesIO(b"a,b\n1,2\n"))
    with pytest.raises(WrongFile, match="row 3"):
        list(rows_of(file, shape))


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n＝a1 "), max_size=8))
def test_no_cell_is_a_formula_and_each_reads_back(text: str) -> None:
    cell = guarded(text)
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "＝")
    assert read(cell) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("mailto:a.b+c@example.com", "a.b+c@example.com"),
        ("анна@почта.рф", "анна@почта.рф"),
        ("x@xn--80a1acny.xn--p1ai", "x@почта.рф"),
        *((wrong, None) for wrong in ("", "a", "a@b", "a..b@c.de", ".a@c.de", "a b@c.de", "<a@b.de>", "a@b@c.de")),
        ("x" * 65 + "@example.com", None),
    ],
)
def test_an_email_address_is_the_key_that_the_mail_channel_makes(text: str, address: str | None) -> None:
    assert identity.given_email(text) == address


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("8 (999) 123-45-67", "RU", "+79991234567"),
        ("+7 999 123 45 67", "", "+79991234567"),
        ("tel:+79991234567", "DE", "+79991234567"),
        ("79991234567", "", "+79991234567"),
        ("0151 12345678", "DE", "+4915112345678"),
        ("89991234567", "", None),
        ("101", "RU", None),
        ("7,99912E+10", "RU", None),
        ("", "RU", None),
    ],
)
def test_a_telephone_number_is_e164_or_none(text: str, country: str, number: str | None) -> None:
    assert phone_numbers.given(text, country) == number


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf" + "Имя;b\r\n".encode("windows-1251"), b"\xff\xfea\x00\x00\xdc"])
def test_a_file_that_is_not_what_its_mark_says_is_told(start: bytes) -> None:
    file = io.BytesIO(start)
    with pytest.raises(WrongFile):
        list(rows_of(file, shape_of(file)))
