"""PURE: a long text in pieces Telegram accepts: cut between paragraphs, lines or words, and not inside an entity.

Only what is longer than a whole piece is cut inside.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from shared.channels.telegram.markdown import Entity, Formatted, clipped, units

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
_LEAST_SHARE = 0.5
"""A better cut is taken only where it leaves the piece at least this full."""
_JOINER = "\u200d"


def split(whole: Formatted, limits: Iterator[int]) -> list[Formatted]:
    """Return the pieces in order; `limits` gives the most UTF-16 units of each. An empty text has no pieces."""
    pieces: list[Formatted] = []
    text, entities = whole.text, whole.entities
    while text.strip():
        limit = next(limits)
        if units(text) <= limit:
            pieces.append(Formatted(text, entities))
            break
        cut = _cut(text, entities, limit)
        pieces.append(_part(text, entities, 0, cut))
        rest = text[cut:]
        start = cut + len(rest) - len(rest.lstrip())
        piece = _part(text, entities, start, len(text))
        text, entities = piece.text, piece.entities
    return pieces


def _part(text: str, entities: tuple[Entity, ...], start: int, end: int) -> Formatted:
    part = text[start:end].rstrip()
    begin = units(text[:start])
    return Formatted(part, clipped(entities, begin, begin + units(part)))


def _cut(text: str, entities: tuple[Entity, ...], limit: int) -> int:
    """Return the character before which to cut: after a paragraph, a line, a word, or where nothing else is left."""
    most = _characters(text, limit)
    least = int(most * _LEAST_SHARE)
    inside = _inside(text, entities, most)
    for separator in ("\n\n", "\n", None):
        for cut in _breaks(text, separator, most, least):
            if cut not in inside:
                return cut
    for cut in _breaks(text, None, most, 1):
        return cut
    return _between_letters(text, most)


def _breaks(text: str, separator: str | None, most: int, least: int) -> Iterator[int]:
    """Yield the places of a separator (None: any white space) from the last to the first."""
    cut = most
    while cut >= max(least, 1):
        if (separator is None and text[cut : cut + 1].isspace()) or (separator and text.startswith(separator, cut)):
            yield cut
        cut -= 1


def _inside(text: str, entities: tuple[Entity, ...], most: int) -> set[int]:
    """Return the characters up to `most` that stand inside an entity."""
    places, unit = [], 0
    for character in text[: most + 1]:
        places.append(unit)
        unit += 2 if character > "\uffff" else 1
    edges = [(each.offset, each.offset + each.length) for each in entities]
    return {n for n, unit in enumerate(places) if any(start < unit < end for start, end in edges)}


def _characters(text: str, limit: int) -> int:
    """Return how many characters fit into `limit` units."""
    unit = 0
    for count, character in enumerate(text):
        unit += 2 if character > "\uffff" else 1
        if unit > limit:
            return count
    return len(text)


def _between_letters(text: str, most: int) -> int:
    """Step back from between a letter and its accent, or the parts of one emoji."""
    cut = most
    while cut > 1 and (_clings(text[cut]) or text[cut - 1] == _JOINER):
        cut -= 1
    return cut if cut > most // 2 else most


def _clings(character: str) -> bool:
    return character == _JOINER or unicodedata.category(character) in ("Mn", "Me", "Mc") or "🏻" <= character <= "🏿"
