"""Header values, PURE: encoded words (RFC 2047), parameters (RFC 2045, 2231), addresses (RFC 5322), leniently."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote_to_bytes

from shared.channels.email import charset, transfer
from shared.domain import identity

MAX_HEADER_BYTES = 64 * 1024
MAX_ADDRESSES_BYTES = 128 * 1024
MAX_LOOKED_AT = 1_000
"""Items of address headers, addresses or not."""

_ENCODED = re.compile(rb"=\?([!->@-~]{1,60})\?([bBqQ])\?(.{0,4000}?)\?=", re.DOTALL)
_PARAMETER = re.compile(rb"""(?<![^=;\s"])([^=;\s"]{1,256}+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)""", re.DOTALL)
_CONTINUED = re.compile(r"(.+?)\*(\d{1,3})(\*?)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NOT_IN_ADDRESS = re.compile(r"\s|\([^()]*\)")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,990})>")
_ADDRESS_PIECES = re.compile(rb'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|<[^<>]*>|[,;:]|[^"(<,;:]+|["(<]', re.DOTALL)


def text(raw: bytes, limit: int = 1_000) -> str:
    """Return a header's text on one line."""
    return charset.one_line(unfold(raw), limit) if raw else ""


def unfold(raw: bytes) -> str:
    """Decode encoded words and raw 8-bit bytes; neighbouring words of one charset are joined before decoding."""
    raw = raw[:MAX_HEADER_BYTES]
    if b"=?" not in raw:
        return charset.decode(raw)
    done: list[str] = []
    pending, pending_charset, at = b"", "", 0
    for word in _ENCODED.finditer(raw):
        between = raw[at : word.start()]
        name, content = word[1].decode("ascii", "replace").partition("*")[0].lower(), _word(word[2], word[3])
        if pending and (between.strip() or name != pending_charset):
            done.append(charset.decode(pending, pending_charset))
            pending = b""
        if between.strip() or at == 0:
            done.append(charset.decode(between))
        pending, pending_charset, at = pending + content, name, word.end()
    done += [charset.decode(pending, pending_charset), charset.decode(raw[at:])]
    return "".join(done)


def parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """Return a value in lower case and its parameters, continuations joined and decoded: `text/plain; charset=x`."""
    value, _, rest = raw[:MAX_HEADER_BYTES].partition(b";")
    if b"=" in value:  # the semicolon after the type is missing
        value, *forgotten = value.split(maxsplit=1)
        rest = b";".join([*forgotten, rest])
    found: dict[str, bytes] = {}
    for each in _PARAMETER.finditer(rest):
        found.setdefault(each[1].decode("ascii", "replace").lower(), each[2].strip())
    plain = {name: unfold(_unquoted(content)) for name, content in found.items() if "*" not in name}
    return charset.one_line(charset.decode(value)).lower(), {**plain, **_extended(found)}


def addresses(values: list[bytes], most: int) -> list[tuple[str, str]]:
    """Return at most `most` (name, address) of address headers; groups are opened, what has no address is skipped."""
    found: list[tuple[str, str]] = []
    items = (one for value in values for one in _split_addresses(value[:MAX_ADDRESSES_BYTES]))
    for one in islice(items, MAX_LOOKED_AT):
        if len(found) == most:
            return found
        name, address = one_address(one)
        if address:
            found.append((name, address))
    return found


def one_address(raw: bytes) -> tuple[str, str]:
    """Return (name, address) of `Name <address>`, `address (name)` or `address`; the address is normalised."""
    if b"@" not in raw and b"=?" in raw and "@" in (whole := text(raw, 400)):
        return one_address(whole.encode("utf-8", "replace"))  # some scripts encode `Name <address>` as a whole
    pieces = [piece for piece in _ADDRESS_PIECES.findall(raw[:4_096]) if piece.strip()]
    angles = [piece for piece in pieces if piece.startswith(b"<") and len(piece) > 1]
    if angles:
        name = b" ".join(_unquoted(p.strip()) for p in pieces if not p.startswith((b"<", b"(")))
        return text(name, 200).strip("\"' "), normal_address(angles[-1][1:-1].rpartition(b":")[2])
    address = b"".join(p.strip() for p in pieces if not p.startswith(b"("))
    name = b" ".join(p[1:-1] for p in pieces if p.startswith(b"("))
    if b"@" not in address and b" " in address:
        return text(raw, 200), ""
    if b" " in address:  # the angle brackets are missing
        address = max(said := address.split(), key=lambda word: b"@" in word)
        name = b" ".join([*(word for word in said if word != address), name])
    return text(name, 200), normal_address(address)


def normal_address(raw: bytes) -> str:
    """Return an address in its one form, without white space and comments."""
    return identity.email(_NOT_IN_ADDRESS.sub("", text(raw, 400)).strip("<>\"',;"))


def message_ids(values: list[bytes]) -> list[str]:
    """Return the ids of Message-ID, In-Reply-To or References, with their brackets, in order, once each."""
    found = [f"<{id_}>" for value in values for id_ in _MESSAGE_ID.findall(text(value, MAX_HEADER_BYTES))]
    return list(dict.fromkeys(found))


def _word(encoding: bytes, content: bytes) -> bytes:
    if encoding in b"bB":
        return transfer.decode_base64(content)
    return quopri.decodestring(content.replace(b"_", b"=20").replace(b"\n", b"").replace(b" ", b"=20"))


def _unquoted(value: bytes) -> bytes:
    if value.startswith(b'"'):
        inner = value[1:-1] if value.endswith(b'"') and len(value) > 1 else value[1:]
        return _ESCAPED.sub(rb"\1", inner)
    return value


def _extended(found: dict[str, bytes]) -> dict[str, str]:
    """Return the parameters written as in RFC 2231: `name*=charset'language'%41` and `name*0*=`, `name*1=`."""
    pieces: dict[str, dict[int, bytes]] = {}
    charsets: dict[str, str] = {}
    for name, value in found.items():
        continued = _CONTINUED.fullmatch(name)
        base, number, star = (continued[1], int(continued[2]), continued[3]) if continued else (name[:-1], 0, "*")
        if "*" not in name:
            continue
        content = _unquoted(value)
        if star and number == 0 and content.count(b"'") >= 2:
            declared, _, content = content.split(b"'", 2)
            charsets[base] = declared.decode("ascii", "replace")
        pieces.setdefault(base, {})[number] = unquote_to_bytes(content) if star else content
    return {
        base: _continuation(b"".join(numbered[n] for n in sorted(numbered)), charsets.get(base))
        for base, numbered in pieces.items()
    }


def _continuation(raw: bytes, declared: str | None) -> str:
    return unfold(raw) if declared is None else charset.decode(raw, declared)


def _split_addresses(raw: bytes) -> Iterator[bytes]:
    """Yield the addresses of a list; commas and semicolons inside quotes, comments and angles do not separate."""
    current: list[bytes] = []
    has_at = False
    for piece in _ADDRESS_PIECES.findall(raw):
        if piece in (b",", b";"):
            if one := b"".join(current).strip():
                yield one
            current, has_at = [], False
        elif piece == b":" and not has_at:
            current = []
        else:
            current.append(piece)
            has_at = has_at or b"@" in piece
    if one := b"".join(current).strip():
        yield one
