"""Markdown to the HTML of a mail, PURE. HTML that somebody typed is shown as it was typed, never obeyed."""

from __future__ import annotations

from functools import cache
from html import escape

from markdown_it import MarkdownIt

MAX_CHARACTERS = 200_000
"""Longer texts are not written by hand; they are sent as they are."""


def render(text: str) -> str:
    """Return HTML of Markdown: line ends are kept as people mean them, only harmless links become links."""
    if len(text) > MAX_CHARACTERS:
        return f"<p>{as_text(text)}</p>"
    return str(_markdown().render(text)).strip()


def as_text(text: str) -> str:
    """Return HTML that shows a text as it is."""
    return escape(text).replace("\n", "<br>\n")


def page(body: str) -> str:
    return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{body}\n</body></html>\n'


@cache
def _markdown() -> MarkdownIt:
    rules = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    return rules.enable(["table", "strikethrough"])
