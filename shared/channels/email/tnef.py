"""winmail.dat (MS-OXTNEF), PURE: the files and the text Outlook has packed into it. Broken ones give what is readable.

Attributes follow each other; an `attAttachRendData` opens the next file, MAPI properties inside name and hold it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.channels.email import charset, rtf

SIGNATURE = b"\x78\x9f\x3e\x22"
MAX_ATTRIBUTES = 20_000
MAX_PROPERTIES = 5_000
MAX_FILES = 500
UNNAMED = "Untitled Attachment"

_PROP_BODY, _PROP_RTF, _PROP_HTML = 0x1000, 0x1009, 0x1013
_OBJECT, _UNICODE = 0x000D, 0x001F
_VARIABLE = {0x001E, _UNICODE, _OBJECT, 0x0102}
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_IID_BYTES = 16


@dataclass(slots=True)
class File:
    """One attachment; `media_type` and `content_id` are empty where Outlook gave none."""

    name: str = ""
    data: bytes = b""
    media_type: str = ""
    content_id: str = ""


@dataclass(slots=True)
class Contents:
    text: str = ""
    html: str = ""
    rtf: bytes = b""
    files: list[File] = field(default_factory=list)


def read(data: bytes) -> Contents | None:
    """Return what is packed in `data`, None for what is no TNEF."""
    if not data.startswith(SIGNATURE):
        return None
    found, code_page = Contents(), "cp1252"
    for attribute, value in _attributes(data):
        match attribute:
            case 0x9007 if len(value) >= 4:
                code_page = f"cp{int.from_bytes(value[:4], 'little')}"
            case 0x800C:
                found.text = found.text or _text(value, code_page)
            case 0x9003:
                _read_message(found, value, code_page)
            case 0x9002 if len(found.files) < MAX_FILES:
                found.files.append(File())
            case 0x8010 if found.files:
                found.files[-1].name = found.files[-1].name or _text(value, code_page)
            case 0x800F:
                found.files = found.files or [File()]
                found.files[-1].data = value
            case 0x9005 if found.files:
                _read_file(found.files[-1], value, code_page)
    for each in found.files:
        each.name = each.name or UNNAMED
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (attribute without its type, value); a length that reaches beyond the end ends the reading."""
    at = 6
    for _ in range(MAX_ATTRIBUTES):
        if at + 9 > len(data) or data[at] not in (1, 2):
            return
        attribute, length = struct.unpack_from("<II", data, at + 1)
        if at + 9 + length > len(data):
            return
        yield attribute & 0xFFFF, data[at + 9 : at + 9 + length]
        at += 9 + length + 2


def _read_message(found: Contents, value: bytes, code_page: str) -> None:
    for name, kind, content in _properties(value):
        if name == _PROP_BODY:
            found.text = _string(content, kind, code_page)
        elif name == _PROP_HTML:
            found.html = _text(content, code_page)
        elif name == _PROP_RTF:
            found.rtf = rtf.decompress(content)


def _read_file(file: File, value: bytes, code_page: str) -> None:
    short_name = ""
    for name, kind, content in _properties(value):
        match name:
            case 0x3707:
                file.name = _string(content, kind, code_page) or file.name
            case 0x3704:
                short_name = _string(content, kind, code_page)
            case 0x3701:
                file.data = content[_IID_BYTES:] if kind == _OBJECT else content
            case 0x370E:
                file.media_type = _string(content, kind, code_page)
            case 0x3712:
                file.content_id = _string(content, kind, code_page).strip("<> ")
    file.name = file.name or short_name


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (id, type, first value) of a list of MAPI properties, as far as it can be read (MS-OXTNEF, 2.1.3.4)."""
    try:
        yield from _each_property(data)
    except struct.error:
        return


def _each_property(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    (count,), at = struct.unpack_from("<I", data, 0), 4
    for _ in range(min(count, MAX_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, at)
        at += 4
        if name >= 0x8000:
            at = _after_name(data, at)
        has_many, kind = bool(kind & 0x1000), kind & 0x0FFF
        values = 1
        if has_many or kind in _VARIABLE:
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        first = None
        for _ in range(min(values, MAX_PROPERTIES)):
            length = _FIXED.get(kind, 0)
            if kind in _VARIABLE:
                (length,) = struct.unpack_from("<I", data, at)
                at += 4
            elif not length:
                return
            first = data[at : at + length] if first is None else first
            at += length + (-length % 4)
        yield name, kind, first or b""


def _after_name(data: bytes, at: int) -> int:
    """Return where the value of a named property begins: after its GUID and its number or name."""
    (is_text,) = struct.unpack_from("<I", data, at + 16)
    at += 20
    if not is_text:
        return at + 4
    (length,) = struct.unpack_from("<I", data, at)
    return at + 4 + int(length) + (-int(length) % 4)


def _string(content: bytes, kind: int, code_page: str) -> str:
    if kind == _UNICODE:
        return content.decode("utf-16-le", "replace").partition("\x00")[0]
    return _text(content, code_page)


def _text(content: bytes, code_page: str) -> str:
    return charset.decode(content.partition(b"\x00")[0], code_page)
