"""The tree of a mail's parts, PURE: tolerant, without recursion into hostile depth, offsets instead of copies.

`email.parser` is not used: it recurses per level (1,500 levels end it), reads line by line (30 MB take seconds) and
gives up on headers a mail program would show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.channels.email import transfer
from shared.channels.email.words import parameters

MAX_DEPTH = 40
MAX_PARTS = 1_000
MAX_DELIMITERS = 100_000
MAX_HEADERS = 5_000
MAX_HEADER_LINES = 100_000
MAX_LOOKS = 8
MAX_BOUNDARY = 80
"""RFC 2046, 5.1.1 allows 70 characters. What is longer is compared up to here, as the IMAP server Dovecot does."""

_FIELD = re.compile(rb"([!-9;-~]{1,256})[ \t]*:(.*)", re.DOTALL)
_BLANK = re.compile(rb"\r?\n\r?\n")
_MBOX_LINE = re.compile(rb">?From (?![ \t]*:)")
_WELL_KNOWN = re.compile(
    rb"\n(from|to|cc|subject|date|message-id|mime-version|content-[a-z-]+|received|references|in-reply-to|x-[a-z-]+)"
    rb"[ \t]*:",
    re.IGNORECASE,
)
_SNIFFED_BOUNDARY = re.compile(rb"\n--([!-~]{6,70})[ \t]*\r?\n")


class NoHeaders(Exception):
    """The bytes do not begin with a header: not a mail."""


@dataclass(frozen=True, slots=True)
class Part:
    """One node; a leaf has no `parts`. Header names are in lower case, values raw and unfolded."""

    headers: tuple[tuple[str, bytes], ...]
    data: bytes
    start: int
    end: int
    content_type: str
    parameters: dict[str, str]
    parts: tuple[Part, ...] = ()

    def header(self, name: str) -> bytes:
        """Return the first value, empty if there is none."""
        return next((value for field, value in self.headers if field == name), b"")

    def all(self, name: str) -> list[bytes]:
        return [value for field, value in self.headers if field == name]

    def body(self) -> bytes:
        """Return the content with its transfer encoding undone as far as it can be."""
        return transfer.decode(self.data[self.start : self.end], self.header("content-transfer-encoding"))


def read(data: bytes) -> Part:
    """Return the tree of a mail. Raises NoHeaders."""
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    start = len(data) - len(data.lstrip())
    if _MBOX_LINE.match(data, start):
        start = data.find(b"\n", start) + 1
    tree = _Reader(data).part(start, len(data), "text/plain", 0)
    if not tree.headers:
        raise NoHeaders
    return tree


class _Reader:
    """Reads one mail; counts parts so that a hostile one stays bounded."""

    def __init__(self, data: bytes) -> None:
        self.data, self.count = data, 0

    def part(self, start: int, end: int, default_type: str, depth: int) -> Part:
        self.count += 1
        headers, body = self._headers(start, end)
        declared = next((value for name, value in headers if name == "content-type"), b"")
        content_type, params = parameters(declared)
        if not re.fullmatch(r"[!-.0-~]+/[!-.0-~]*", content_type):
            content_type = "multipart/mixed" if content_type == "multipart" else default_type
        parts: tuple[Part, ...] = ()
        if content_type.startswith("multipart/"):
            before = self._before(headers, params, body, end) if depth else ()  # atop a mail it is for old programs
            parts = (*before, *self._children(content_type, params, body, end, depth))
            content_type = content_type if parts or depth >= MAX_DEPTH else "text/plain"
        return Part(headers, self.data, body, end, content_type, params, parts)

    def _headers(self, start: int, end: int) -> tuple[tuple[tuple[str, bytes], ...], int]:
        """Return the fields and where the body starts.

        A line that is no field belongs to the one before while well-known fields follow; else it begins the body.
        """
        if self.data.startswith((b"\n", b"\r\n"), start):
            return (), min(end, self.data.find(b"\n", start) + 1)
        blank = _BLANK.search(self.data, start, end)
        stop = blank.start() if blank else end
        last_known = max((found.start() for found in _WELL_KNOWN.finditer(self.data, start, stop)), default=start)
        fields: list[tuple[str, list[bytes]]] = []
        delimiter = _Delimiter()
        at = start
        for line in self.data[start:stop].split(b"\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]:
            field = None if line[:1] in b" \t" else _FIELD.match(line)
            if line[:1] in (b" ", b"\t") and fields:
                fields[-1][1].append(line.strip(b"\r"))
            elif field and len(fields) < MAX_HEADERS:
                fields.append((field[1].decode("ascii").lower(), [field[2].strip()]))
                delimiter.declare(*fields[-1])
            elif delimiter.is_it(line):
                return _joined(fields), at
            elif not field and fields and at < last_known:
                fields[-1][1].append(b" " + line.strip())
            elif not field and not _MBOX_LINE.match(line):
                return _joined(fields), at
            at += len(line) + 1
        return _joined(fields), blank.end() if blank else end

    def _children(
        self, content_type: str, params: dict[str, str], start: int, end: int, depth: int
    ) -> tuple[Part, ...]:
        if depth >= MAX_DEPTH:
            return ()
        default = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
        boundary = params.get("boundary", "").encode("utf-8", "surrogateescape").rstrip()
        spans = list(self._spans(boundary, start, end)) if boundary else []
        if not spans and (sniffed := self._sniffed(boundary, max(0, start - 1), end)):
            spans = list(self._spans(sniffed, start, end))
        parts = ((self.part(first, last, default, depth + 1), first) for first, last in spans)
        return tuple(part for part, first in parts if not self._is_cut_off(part, first))

    def _is_cut_off(self, part: Part, start: int) -> bool:
        """Tell whether a part breaks off within its header and has not even a name that tells what is missing."""
        if part.parts or part.start < part.end or _BLANK.search(self.data, start - 1, part.end + 2):
            return False
        disposition = parameters(part.header("content-disposition"))[1]
        return not (disposition.get("filename") or part.parameters.get("name") or part.header("content-id"))

    def _before(
        self, headers: tuple[tuple[str, bytes], ...], params: dict[str, str], start: int, end: int
    ) -> tuple[Part, ...]:
        """Return the text before the first delimiter where a second Content-Type says that it is one, else nothing."""
        declared = [value for name, value in headers if name == "content-type"]
        content_type, own = parameters(declared[-1]) if len(declared) > 1 else ("", {})
        at = self.data.find(b"\n--" + params.get("boundary", "").encode("utf-8", "surrogateescape"), start, end)
        if not content_type.startswith("text/") or at < 0 or not self.data[start:at].strip():
            return ()
        self.count += 1
        kept = (("content-type", declared[-1]), *((n, v) for n, v in headers if n == "content-transfer-encoding"))
        return (Part(kept, self.data, start, at, content_type, own),)

    def _sniffed(self, declared: bytes, start: int, end: int) -> bytes | None:
        """Return the boundary that is used where the declared one is not: one that begins like it, or any long one."""
        longer = re.compile(rb"\n--(" + re.escape(declared[:70]) + rb"[!-~]{1,70})[ \t]*\r?\n") if declared else None
        found = longer.search(self.data, start, end) if longer else None
        found = found or _SNIFFED_BOUNDARY.search(self.data, start, end)
        return found[1] if found else None

    def _spans(self, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where each part lies; a missing last delimiter is forgiven, parts beyond the limit stay one."""
        opened: int | None = None
        room = MAX_PARTS - self.count
        for at, after, is_last in self._delimiters(b"--" + boundary, start, end):
            if opened is not None:
                yield opened, max(opened, at)
                room -= 1
            opened = None if is_last else after
            if is_last:
                return
            if room <= 1:
                break
        if opened is not None and opened < end:
            yield opened, end

    def _delimiters(self, delimiter: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Yield (end of what precedes, start of what follows, whether it closes the multipart)."""
        delimiter = delimiter[: 2 + MAX_BOUNDARY]
        data, at = self.data, self.data.find(delimiter, start, end)
        part, inner = start, -1
        declared = self._declared_inside(delimiter[2:] + b"--", start, end)  # gone through once, however many parts
        for _ in range(MAX_DELIMITERS):
            if at < 0:
                return
            newline = data.find(b"\n", at, end)
            line_end = end if newline < 0 else newline
            rest = data[at + len(delimiter) : min(line_end, at + len(delimiter) + 80)].strip()
            if len(delimiter) == 2 + MAX_BOUNDARY:
                rest = b"--" if rest.endswith(b"--") else b""
            while rest == b"--" and inner < part:
                inner = next(declared, end)
            if (at == start or data[at - 1] == 10) and (rest == b"" or (rest == b"--" and at < inner)):
                before = at - 1 if at > start else at
                before -= before > start and data[before - 1] == 13
                yield before, min(end, line_end + 1), rest == b"--"
                part, at = line_end, data.find(delimiter, line_end, end)
            else:
                at = data.find(delimiter, at + len(delimiter), end)

    def _declared_inside(self, boundary: bytes, start: int, end: int) -> Iterator[int]:
        """Yield where a multipart inside declares what looks like our last delimiter."""
        declaration = re.compile(rb'boundary="?' + re.escape(boundary) + rb'(?=[ \t\r\n";])')
        return (found.start() for found in declaration.finditer(self.data, start, end))


class _Delimiter:
    """The delimiter that the fields read so far declare, made out anew a few times only while they grow."""

    def __init__(self) -> None:
        self._declared: list[bytes] | None = None
        self._boundary, self._seen, self._looks = b"", 0, 0

    def declare(self, name: str, lines: list[bytes]) -> None:
        """Take in a field; of several Content-Types the first counts."""
        if self._declared is None and name == "content-type":
            self._declared = lines

    def is_it(self, line: bytes) -> bool:
        """Whether a line among fields is the delimiter: the empty line before it was forgotten."""
        if not line.startswith(b"--") or self._declared is None:
            return False
        if len(self._declared) != self._seen and self._looks < MAX_LOOKS:
            self._seen, self._looks = len(self._declared), self._looks + 1
            params = parameters(b" ".join(self._declared))[1]
            self._boundary = params.get("boundary", "").encode("utf-8", "surrogateescape")
        return bool(self._boundary) and line[2:].rstrip() == self._boundary


def _joined(fields: list[tuple[str, list[bytes]]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, b"".join(lines).strip()) for name, lines in fields)
