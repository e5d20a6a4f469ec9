"""PURE: the bytes of a post -> its fields and files, in the order of the form. Every limit on a post stands here."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote_to_bytes

from shared.channels.web_form.multipart import BrokenMultipart, Part, parse_options, parts_of
from shared.connector import BadInput
from shared.parsed import ParsedFile
from shared.values import dataclass

BODY_BYTES = 10 * 1024 * 1024
FIELDS = 200
NAME_CHARACTERS = 256
VALUE_BYTES = 64 * 1024
FILES = 10
SMALL_BYTES = 16 * 1024
DEPTH = 8

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
CHARSETS = frozenset({"utf-8", "ascii", "cp1251", "cp1252", "cp866", "koi8-r", "iso8859-1", "iso8859-5"})
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Zero-width and direction signs: with them `exe.pdf` is shown where `fdp.exe` is stored."""
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters and halves of surrogate pairs: neither databases nor UTF-8 take them all."""
_CONTROL = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_AND, _IS = "\x1e", "\x1f"
"""What `&` and `=` become before the escapes are decoded: no body has these raw."""
_AND_BYTE, _ESCAPED_MARK = _AND.encode(), b"%1"
_MARKS = bytes.maketrans(b"+&=", b" " + f"{_AND}{_IS}".encode())


@dataclass(frozen=True, slots=True)
class Submission:
    """What was posted: every field in order, blank ones too; file inputs left empty are not there."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[ParsedFile, ...] = ()


def read(data: bytes, content_type: str) -> Submission:
    """Return the submission in a body. Raises BadInput with status 400, 413 or 415."""
    return _read_small(data, content_type) if len(data) <= SMALL_BYTES else _read(data, content_type)


def _read(data: bytes, content_type: str) -> Submission:
    if len(data) > BODY_BYTES:
        raise too_large(f"The post is limited to {BODY_BYTES} bytes.")
    media_type, options = _split(content_type)
    if media_type == URLENCODED:
        return _urlencoded(data, options.get("charset", ""))
    if media_type == MULTIPART:
        return _multipart(data, options.get("boundary", ""))
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return _json(data)
    raise BadInput(415, "Unsupported content type", f"Post {URLENCODED}, {MULTIPART} or application/json.")


_read_small = lru_cache(maxsize=64)(_read)
"""A post is read when it is admitted and again, moments later, when it is parsed: the second time costs nothing."""


def too_large(detail: str) -> BadInput:
    return BadInput(413, "Too large", detail)


# --- urlencoded (WHATWG URL, application/x-www-form-urlencoded parsing) -----------------------------------


def _urlencoded(data: bytes, charset: str) -> Submission:
    marked = data.translate(_MARKS, _CONTROL)
    if len(marked) != len(data):
        raise BadInput(400, "Broken form data", "The body is not urlencoded: it has control characters.")
    if marked.count(_AND_BYTE) >= FIELDS * 2:
        raise _too_many_fields()
    pairs = _pairs_at_once(marked) if not charset or charset == "utf-8" else None
    return Submission(_checked(_pairs(data, charset) if pairs is None else pairs))


def _pairs_at_once(marked: bytes) -> list[tuple[str, str]] | None:
    """Decode the whole body in one go; None where that would not do (no UTF-8, a stray `%`, an escaped mark).

    `%XX` is decoded by Python's own decoder of `\\xXX` escapes: urllib takes twenty times as long for Cyrillic.
    """
    if _ESCAPED_MARK in marked:
        return None
    try:
        text = codecs.escape_decode(marked.replace(b"\\", b"\\\\").replace(b"%", b"\\x"))[0].decode()
    except ValueError:
        return None
    pairs = []
    for part in text.split(_AND):
        if part:
            name, _, value = part.partition(_IS)
            pairs.append((name, value.replace(_IS, "=") if _IS in value else value))
    return pairs


def _pairs(data: bytes, charset: str) -> list[tuple[str, str]]:
    """Decode each part for itself: of old pages each field may be in another charset."""
    pairs = []
    for part in data.replace(b"+", b" ").split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_text(unquote_to_bytes(name), charset), _text(unquote_to_bytes(value), charset)))
    return pairs


# --- multipart (RFC 7578) ---------------------------------------------------------------------------------


def _multipart(data: bytes, boundary: str) -> Submission:
    try:
        parts = parts_of(data, boundary)
    except BrokenMultipart as error:
        raise BadInput(400, "Broken form data", str(error)) from error
    fields = [(_text(p.name), _text(p.data)) for p in parts if p.filename is None]
    files = tuple(_file(p, p.filename) for p in parts if p.filename is not None and (p.filename or p.data))
    if len(files) > FILES:
        raise too_large(f"A post is limited to {FILES} files.")
    return Submission(_checked(fields), files)


def _file(part: Part, filename: bytes) -> ParsedFile:
    name = re.split(r"[/\\]", _INVISIBLE.sub("", clean(_text(filename))))[-1].strip()
    media_type, _ = parse_options(part.content_type.decode("latin-1"))
    if not _MEDIA_TYPE.fullmatch(media_type):
        media_type = "application/octet-stream"
    return ParsedFile(name[:NAME_CHARACTERS] or "file", media_type, part.data)


# --- JSON -------------------------------------------------------------------------------------------------


def _json(data: bytes) -> Submission:
    try:
        body = json.loads(
            data, parse_int=str, parse_float=str, parse_constant=_no_constant, object_pairs_hook=tuple
        )  # an object as its pairs: a name that comes twice is two fields
    except (ValueError, RecursionError) as error:
        raise BadInput(400, "Broken JSON", "The body is not JSON in UTF-8.") from error
    if not isinstance(body, tuple):
        raise BadInput(400, "Not a form", "The JSON body must be an object of fields.")
    return Submission(_checked(list(islice(_flat("", body, DEPTH), FIELDS + 1))))


def _flat(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    """Yield nested values as `outer.inner`, and each item of a list as a field of the same name.

    An object or list without anything is a blank field. Names are bounded here: each value under a long one copies it.
    """
    if depth == 0:
        raise too_large(f"The JSON is nested deeper than {DEPTH} levels.")
    if len(name) > NAME_CHARACTERS:
        raise _too_long_a_name()
    match value:
        case () | []:
            if name:
                yield name, ""
        case tuple():
            for key, inner in value:
                yield from _flat(f"{name}.{key}" if name else key, inner, depth - 1)
        case list():
            for inner in value:
                yield from _flat(name, inner, depth - 1)
        case bool():
            yield name, "true" if value else "false"
        case _:
            yield name, "" if value is None else str(value)


def _no_constant(name: str) -> str:
    raise ValueError(f"{name} is not JSON")


# --- text -------------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Return the text with line ends as \\n and without characters that no store takes."""
    return _UNFIT.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _text(data: bytes, charset: str = "") -> str:
    """Decode what a form sent: as declared, else UTF-8, else windows-1251 (pages of old Russian sites)."""
    if charset and charset != "utf-8":
        return data.decode(charset, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1251", errors="replace")


def _checked(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(pairs) > FIELDS:
        raise _too_many_fields()
    checked = []
    for name, value in pairs:
        if len(name) > NAME_CHARACTERS:
            raise _too_long_a_name()
        if len(value) * 4 > VALUE_BYTES and len(value.encode(errors="replace")) > VALUE_BYTES:
            raise too_large(f"The value of a field is limited to {VALUE_BYTES} bytes.")
        checked.append((name if name.isprintable() else clean(name), value if value.isprintable() else clean(value)))
    return tuple(checked)


def _too_long_a_name() -> BadInput:
    return too_large(f"The name of a field is limited to {NAME_CHARACTERS} characters.")


def _too_many_fields() -> BadInput:
    return too_large(f"A post is limited to {FIELDS} fields.")


def _split(content_type: str) -> tuple[str, dict[str, str]]:
    """Return the media type and its options; a charset nobody knows is refused. Raises BadInput 415."""
    if ";" not in content_type:
        return content_type.strip().lower(), {}
    media_type, options = parse_options(content_type)
    if charset := options.get("charset"):
        options["charset"] = _known_charset(charset)
    return media_type, options


def _known_charset(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        name = ""
    if name not in CHARSETS:
        raise BadInput(415, "Unsupported charset", "Post in UTF-8.")
    return name
