"""How IMAP writes folder names, dates and UIDs, and what its answers say, PURE."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import date, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_ARRIVED = re.compile(rb'\bINTERNALDATE "( ?\d{1,2}-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"')
_FETCH = re.compile(rb"\d+ FETCH \(")
_LISTED = re.compile(rb'^\((?P<flags>[^)]*)\) (?:"(?:\\.|[^"\\])*"|NIL) (?P<name>.+)$', re.IGNORECASE)
_SHIFTED = re.compile(r"&([^-&]*)-")


def quoted(text: str) -> str:
    """Return a quoted string (RFC 3501, 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox_name(name: str) -> str:
    """Return a folder name as IMAP writes it, quoted, in modified UTF-7 (RFC 3501, 5.1.3)."""
    pieces = re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", name)
    return quoted("".join(_utf7(piece) for piece in pieces))


def readable_name(name: str) -> str:
    """Return a folder name as people write it; what is not modified UTF-7 stays as it is."""
    return _SHIFTED.sub(lambda found: _from_utf7(found[1]) if found[1] else "&", name)


def imap_date(day: date) -> str:
    """Return a date as SEARCH takes it, the same in every locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def uid_set(uids: Sequence[int]) -> str:
    """Return ascending UIDs as a short set; only neighbours become ranges, so nothing else is asked for."""
    ranges: list[list[int]] = []
    for uid in uids:
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def found_uids(lines: Sequence[bytes]) -> list[int]:
    """Return the UIDs of an answer to SEARCH, ascending."""
    return sorted({int(word) for line in lines[:-1] for word in line.split() if word.isdigit()})


def found_sizes(lines: Sequence[bytes | bytearray]) -> dict[int, int]:
    """Return sizes in bytes by UID."""
    found = ((_UID.search(line), _SIZE.search(line)) for line in lines if isinstance(line, bytes))
    return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}


def found_arrivals(lines: Sequence[bytes | bytearray]) -> dict[int, datetime]:
    """Return by UID when the server got each mail (RFC 3501, 2.3.3); without those it tells nothing usable of."""
    found = ((_UID.search(line), _ARRIVED.search(line)) for line in lines if isinstance(line, bytes))
    times = {int(uid[1]): _moment(arrived[1].decode("ascii", "replace")) for uid, arrived in found if uid and arrived}
    return {uid: at for uid, at in times.items() if at is not None}


def found_bodies(lines: Sequence[bytes | bytearray]) -> dict[int, bytes]:
    """Return literals by UID; the UID may stand before or after the literal, and a mail may come without one."""
    found: dict[int, bytes] = {}
    uid: int | None = None
    literal: bytes | None = None
    for line in lines:
        if isinstance(line, bytearray):
            literal = bytes(line)
            continue
        if _FETCH.match(line):
            uid = literal = None
        if told := _UID.search(line):
            uid = int(told[1])
        if uid is not None and literal is not None:
            found[uid] = literal
    return found


def found_folders(lines: Sequence[bytes | bytearray]) -> dict[str, str]:
    """Return the flags of each folder (RFC 6154: \\Sent, ...) by its readable name."""
    folders: dict[str, str] = {}
    for number, line in enumerate(lines):
        if isinstance(line, bytearray) or not (listed := _LISTED.match(line)):
            continue
        name = listed["name"]
        if name.endswith(b"}") and number + 1 < len(lines):  # a name with odd letters comes as a literal
            name = bytes(lines[number + 1])
        elif name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        folders[readable_name(name.decode("utf-8", "replace"))] = listed["flags"].decode("ascii", "replace")
    return folders


def last_words(lines: Sequence[bytes | bytearray]) -> str:
    """Return what the server said last, for the person."""
    return bytes(lines[-1]).decode("utf-8", "replace")[:300] if lines else "no reason given"


def _moment(text: str) -> datetime | None:
    """Read `17-Jul-1996 02:44:25 -0700`, in every locale."""
    day, month, year, clock, zone = text.strip().replace("-", " ", 2).split(" ")
    try:
        return datetime.strptime(
            f"{day} {_MONTHS.index(month.title()) + 1} {year} {clock} {zone}", "%d %m %Y %H:%M:%S %z"
        )
    except ValueError:
        return None


def _utf7(piece: str) -> str:
    if piece.isascii():
        return piece.replace("&", "&-")
    encoded = base64.b64encode(piece.encode("utf-16-be")).decode("ascii")
    return f"&{encoded.rstrip('=').replace('/', ',')}-"


def _from_utf7(piece: str) -> str:
    try:
        padded = piece.replace(",", "/") + "=" * (-len(piece) % 4)
        return base64.b64decode(padded, validate=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return f"&{piece}-"
