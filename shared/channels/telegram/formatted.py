"""PURE: text with entities -> safe HTML. Offsets count UTF-16 units, entities may nest, overlap or be nonsense."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from shared.channels.telegram.view import Json, text, whole

_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "span",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}
_LINKS = {"http", "https", "mailto", "tel"}
_MOST = 1000
"""Entities of one message; Telegram sends at most a hundred."""


def to_html(plain: str, entities: Sequence[Json]) -> str:
    """Return the text as HTML of a few harmless tags; empty when nothing in it is formatted."""
    spans = _spans(plain, entities)
    if not spans:
        return ""
    edges = sorted({0, len(plain), *(edge for start, end, _, _ in spans for edge in (start, end))})
    html: list[str] = []
    open_: list[tuple[int, int, str, str]] = []
    for start, end in itertools.pairwise(edges):
        wanted = [span for span in spans if span[0] <= start and end <= span[1]]
        kept = _common(open_, wanted)
        html += [span[3] for span in reversed(open_[kept:])] + [span[2] for span in wanted[kept:]]
        html.append(_escaped(plain[start:end], any(span[2].startswith("<pre") for span in wanted)))
        open_ = wanted
    html += [span[3] for span in reversed(open_)]
    return "".join(html)


def at_units(plain: str, offsets: Sequence[int]) -> list[int]:
    """Return the characters that begin at or before these UTF-16 offsets; `offsets` ascending."""
    if plain.isascii():
        return [min(offset, len(plain)) for offset in offsets]
    places, unit, index = [], 0, 0
    for offset in offsets:
        while index < len(plain) and unit < offset:
            unit += 2 if plain[index] > "\uffff" else 1
            index += 1
        places.append(index)
    return places


def _spans(plain: str, entities: Sequence[Json]) -> list[tuple[int, int, str, str]]:
    """Return (start, end, opening tag, closing tag) in characters, the outer before the inner."""
    found = []
    for entity in entities[:_MOST]:
        start, length = whole(entity, "offset"), whole(entity, "length")
        if (tags := _tags(entity)) and start >= 0 and length > 0:
            found.append((start, start + length, *tags))
    units = sorted({edge for start, end, _, _ in found for edge in (start, end)})
    place = dict(zip(units, at_units(plain, units), strict=True))
    spans = {(place[start], place[end], opening, closing) for start, end, opening, closing in found}
    return sorted((span for span in spans if span[0] < span[1]), key=lambda span: (span[0], -span[1], span[2]))


def _tags(entity: Json) -> tuple[str, str] | None:
    kind = text(entity, "type")
    if kind == "text_link":
        return _link(text(entity, "url"))
    if kind == "spoiler":
        return '<span class="spoiler">', "</span>"
    tag = _TAGS.get(kind)
    return (f"<{tag}>", f"</{tag}>") if tag else None


def _link(url: str) -> tuple[str, str] | None:
    try:
        scheme = urlsplit(url.strip()).scheme
    except ValueError:
        return None
    if scheme not in _LINKS:
        return None
    return f'<a href="{escape(url.strip())}" rel="noopener noreferrer nofollow">', "</a>"


def _common(now: list[tuple[int, int, str, str]], wanted: list[tuple[int, int, str, str]]) -> int:
    count = 0
    while count < min(len(now), len(wanted)) and now[count] == wanted[count]:
        count += 1
    return count


def _escaped(plain: str, is_pre: bool) -> str:
    html = escape(plain)
    return html if is_pre else html.replace("\n", "<br>")
