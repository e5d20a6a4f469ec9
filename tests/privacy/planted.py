"""Texts that are looked for everywhere, in every disguise that bytes on a disk may have them in."""

from __future__ import annotations

import base64
import binascii
import json
import quopri
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 16_384
_HOLE = bytes(PIECE)
SHORTEST, CORE = 6, 12


def disguises(text: str) -> set[bytes]:
    """Return a text in UTF-8 and 16, base64 at each offset, quoted-printable, JSON escapes, hexadecimal digits."""
    plain = text.encode()
    found = {plain, text.encode("utf-16-le"), text.encode("utf-16-be"), json.dumps(text)[1:-1].encode()}
    found |= {binascii.hexlify(plain), binascii.hexlify(plain).upper(), quopri.encodestring(plain).rstrip(b"=\n")}
    for offset in range(3):
        begin = 0 if offset == 0 else 4
        found.add(base64.b64encode(bytes(offset) + plain)[begin : (offset + len(plain)) // 3 * 4])
    return {each for each in found if len(each) >= SHORTEST}


def files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _without_holes(path: Path) -> bytes:
    """Return the bytes of a file but runs of zeros: servers make files of many megabytes ahead."""
    with path.open("rb", buffering=0) as file:
        return b"".join(piece for piece in iter(lambda: file.read(PIECE), b"") if piece != _HOLE)


def _cores(shape: bytes) -> set[bytes]:
    return {shape[start : start + CORE] for start in range(max(1, len(shape) - CORE + 1))}


def _by_core(wanted: Iterable[str]) -> dict[bytes, list[tuple[bytes, str]]]:
    """Return disguises with their texts by a few bytes that they share with many: where these are not, none of them is.

    The texts of a person have words in common, so a file is looked through a hundred times instead of five hundred.
    """
    shapes = {(shape, text) for text in wanted for shape in disguises(text)}
    shared = Counter(core for shape, _ in shapes for core in _cores(shape))
    found = defaultdict(list)
    for shape, text in shapes:
        found[max(_cores(shape), key=lambda core: (shared[core], core))].append((shape, text))
    return found


def found_in(folders: Iterable[Path], texts: Iterable[str]) -> dict[str, list[str]]:
    """Return in which files each text stands, names of files included."""
    by_core = _by_core(texts)
    found: dict[str, list[str]] = {}
    for path in files(folders):
        try:
            content = _without_holes(path) + str(path).encode()
        except FileNotFoundError:
            continue
        perhaps = [each for core, members in by_core.items() if core in content for each in members]
        for text in {text for shape, text in perhaps if shape in content}:
            found.setdefault(text, []).append(path.name)
    return found
