"""PURE: a multipart/form-data body (RFC 7578) -> its parts, through python-multipart's push parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PARTS = 500
"""More parts are refused before anything is built of them."""
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_EXTENDED = re.compile(rb";\s*((?:file)?name)\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^\s;\"]+)", re.IGNORECASE)


class BrokenMultipart(Exception):
    """The body is not multipart with this boundary; the text says where it breaks."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a plain field and empty for a file input left empty."""

    name: bytes
    filename: bytes | None
    content_type: bytes
    data: bytes


def parts_of(data: bytes, boundary: str) -> list[Part]:
    """Return the parts of a whole body. Raises BrokenMultipart, also for a body that was cut off."""
    if not boundary:
        raise BrokenMultipart("The content type names no boundary.")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        parser.write(data)
        parser.finalize()
    except (FormParserError, UnicodeEncodeError, ValueError) as error:
        raise BrokenMultipart(f"The multipart body cannot be read: {error}") from error
    if not collector.complete:
        raise BrokenMultipart("The multipart body ends before its last boundary.")
    return collector.parts


def parse_options(header: str) -> tuple[str, dict[str, str]]:
    """Return a header's value in lower case and its options (`charset`, `boundary`, `filename`)."""
    value, options = parse_options_header(header)
    return value.decode("latin-1"), {k.decode("latin-1"): v.decode("latin-1") for k, v in options.items()}


class _Collector:
    """Listens to the parser; a header or a part can come in several pieces."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._data = bytearray()

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._name,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_part_data": self._part_data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def _begin(self) -> None:
        if len(self.parts) >= PARTS:
            raise BrokenMultipart(f"The post has more than {PARTS} parts.")
        self._headers, self._data = {}, bytearray()

    def _name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _end(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        options |= _extended(self._headers.get(b"content-disposition", b""))
        if disposition != b"form-data" or b"name" not in options:
            raise BrokenMultipart("A part of the multipart body has no name.")
        content_type = self._headers.get(b"content-type", b"")
        self.parts.append(Part(options[b"name"], options.get(b"filename"), content_type, bytes(self._data)))

    def _complete(self) -> None:
        self.complete = True


def _extended(disposition: bytes) -> dict[bytes, bytes]:
    """Return the names in `name*` and `filename*`, in UTF-8 (RFC 5987).

    RFC 7578 forbids it in forms, yet programs write Cyrillic names so (requests with urllib3 1, .NET): unread, the file
    would be a field full of bytes, and a field would have no name.
    """
    found = _EXTENDED.findall(_QUOTED.sub(b"", disposition))
    return {
        option.lower(): unquote_to_bytes(name).decode(charset.decode(), "replace").encode()
        for option, charset, name in found
    }
