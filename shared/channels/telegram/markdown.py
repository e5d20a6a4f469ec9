"""PURE: a subset of Markdown -> text and entities, so that nothing has to be escaped for Telegram.

Bold, italic, strikethrough, code, links, quotes, lists and headings (bold); all else stays as it was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

_SPANS = {"strong": "bold", "em": "italic", "s": "strikethrough"}
_LINKS = ("http://", "https://", "tg://", "mailto:")
_markdown = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable(["image", "reference"])


@dataclass(frozen=True, slots=True)
class Entity:
    """A formatted part of a text; `offset` and `length` in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""

    def as_json(self) -> dict[str, object]:
        more = {"url": self.url} if self.url else {}
        more |= {"language": self.language} if self.language else {}
        return {"type": self.type, "offset": self.offset, "length": self.length, **more}


@dataclass(frozen=True, slots=True)
class Formatted:
    text: str
    entities: tuple[Entity, ...] = ()


def units(text: str) -> int:
    """Return how long Telegram takes a text to be: in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def formatted(markdown: str) -> Formatted:
    """Return what a person meant who wrote this Markdown."""
    writer = _Writer()
    for token in _markdown.parse(markdown):
        writer.block(token)
    return _trimmed(writer)


class _Writer:
    """Collects text and entities; a stack holds what is open."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.entities: list[Entity] = []
        self.open: list[tuple[str, int, str]] = []
        self.lists: list[int] = []
        """For each list we are in: the next number, 0 for one without."""
        self.gap = ""

    def block(self, token: Token) -> None:
        match token.type:
            case "inline":
                self.spans(token.children or [])
            case "paragraph_open" | "heading_open":
                self.flush()
                if token.type == "heading_open":
                    self.start("bold")
            case "paragraph_close" | "heading_close":
                if token.type == "heading_close":
                    self.end()
                self.gap = "\n" if self.lists else "\n\n"
            case "fence" | "code_block":
                self.flush()
                self.start("pre", token.info.split()[0] if token.info.strip() else "")
                self.write(token.content.rstrip("\n"))
                self.end()
                self.gap = "\n\n"
            case "blockquote_open":
                self.flush()
                self.start("blockquote")
            case "blockquote_close":
                self.end()
                self.gap = "\n\n"
            case "hr":
                self.flush()
                self.write("———")
                self.gap = "\n\n"
            case _:
                self.list_part(token)

    def list_part(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self.lists.append(0)
            case "ordered_list_open":
                self.lists.append(int(token.attrGet("start") or 1))
            case "list_item_open":
                self.flush()
                number = self.lists[-1]
                self.write("  " * (len(self.lists) - 1) + (f"{number}. " if number else "• "))
                self.lists[-1] = number + 1 if number else 0
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
                self.gap = "\n" if self.lists else "\n\n"

    def spans(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            name, _, edge = token.type.rpartition("_")
            if name in _SPANS:
                self.start(_SPANS[name]) if edge == "open" else self.end()
            elif name == "link":
                self.start("text_link", str(token.attrGet("href") or "")) if edge == "open" else self.end()
            elif token.type == "code_inline":
                self.start("code")
                self.write(token.content)
                self.end()
            elif token.type in ("softbreak", "hardbreak"):
                self.write("\n")
            else:
                self.write(token.content)

    def write(self, text: str) -> None:
        self.parts.append(text)
        self.length += units(text)

    def flush(self) -> None:
        """Write the space that separates what comes from what was."""
        if self.parts:
            self.write(self.gap)
        self.gap = ""

    def start(self, kind: str, more: str = "") -> None:
        self.open.append((kind, self.length, more))

    def end(self) -> None:
        kind, offset, more = self.open.pop()
        if kind == "text_link" and not more.startswith(_LINKS):
            return
        if self.length > offset:
            language = more if kind == "pre" else ""
            self.entities.append(
                Entity(kind, offset, self.length - offset, more if kind == "text_link" else "", language)
            )


def _trimmed(writer: _Writer) -> Formatted:
    """Telegram strips the ends of a text: do it first, so that entities fit."""
    text = "".join(writer.parts)
    left = units(text) - units(text.lstrip())
    stripped = text.strip()
    return Formatted(stripped, clipped(writer.entities, left, left + units(stripped)))


def clipped(entities: Sequence[Entity], start: int, end: int) -> tuple[Entity, ...]:
    """Return the parts of entities between two offsets, counted from the first."""
    kept = []
    for entity in sorted(entities, key=lambda each: (each.offset, -each.length)):
        first, last = max(entity.offset, start), min(entity.offset + entity.length, end)
        if first < last:
            kept.append(replace(entity, offset=first - start, length=last - first))
    return tuple(kept)
