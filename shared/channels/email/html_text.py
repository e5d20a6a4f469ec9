"""HTML of a mail, PURE: `safe` for the window, `to_text` for reading. nh3 parses, so tag soup is no matter."""

from __future__ import annotations

import html
import re

import nh3

_TEXT_TAGS = {
    "br",
    "p",
    "div",
    "blockquote",
    "li",
    "tr",
    "td",
    "th",
    "pre",
    "hr",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
}
_NOT_TEXT = {"script", "style", "title", "noscript", "template"}
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_STYLES = {"color", "background-color", "font-weight", "font-style", "text-decoration", "text-align"}
"""Harmless ones: none can load anything, cover the window or leave the place of the mail."""
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
_ATTRIBUTES["*"] = {"style", "title", "lang", "dir"}
_SAFE = nh3.Cleaner(
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    clean_content_tags=_NOT_TEXT,
    filter_style_properties=_STYLES,
    link_rel="noopener noreferrer nofollow",
)
_PLAIN = nh3.Cleaner(tags=_TEXT_TAGS, attributes={}, clean_content_tags=_NOT_TEXT, link_rel=None)
"""Made once: making one takes four times as long as cleaning a small mail."""
_ANY_TAG = re.compile(r'<([a-z][a-z0-9]*)(?:\s+[^\s="<>]+(?:="[^"]*")?)*\s*/?>')
_LOADING_STYLE = re.compile(r'\sstyle="[^"]*(?:url|image|expression|@|\\)[^"]*"', re.IGNORECASE)
_SOURCE = re.compile(r'\ssrc="([^"]*)"')
_TOKEN = re.compile(r"<(/?)([a-z0-9]+)[^>]*>|[^<]+")
_MANY_EMPTY_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_PARAGRAPHS = {"p", "table", "ul", "ol", "h1", "h2", "h3", "hr"}
_MAX_QUOTE_DEPTH = 20
_MAX_BYTES = 1_000_000
_MAX_TAGS = 50_000
_MAX_DEPTH = 500
"""nh3's time grows with the square of the depth: 4,000 levels take 0.1 s, 16,000 take 1.5 s."""
_MAX_BARE = 20_000
"""And with the square of the number of ampersands that begin no entity: 200,000 take 0.7 s, a million 17 s."""
_BARE = re.compile(r"&(?!#?\w{1,32};)")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,40})[^<>]*>?")
_DO_NOT_NEST = frozenset(
    {"a", "area", "b", "base", "br", "col", "embed", "font", "hr", "i", "img", "input", "li", "link", "meta", "option"}
    | {"p", "source", "td", "th", "tr", "u", "wbr"}
)
_DOCTYPE_OF_OFFICE = re.compile(r"<!\[[^>]{0,200}>|<\?xml[^>]{0,200}>")


def is_bounded(source: str) -> bool:
    """Tell whether HTML is small and flat enough to be parsed in reasonable time."""
    if len(source) > _MAX_BYTES or source.count("<") > _MAX_TAGS:
        return False
    if source.count("&") > _MAX_BARE and len(_BARE.findall(source)) > _MAX_BARE:
        return False
    depth = deepest = 0
    for closing, name in _TAG.findall(source):
        if name.lower() not in _DO_NOT_NEST:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest <= _MAX_DEPTH


def safe(source: str) -> str:
    """Return HTML without scripts, forms and event handlers, that loads nothing from outside.

    Inline images keep their `cid:` (RFC 2392) for whoever serves the files; the address of a remote image is moved to
    `data-remote-src`, so that the window can show it when asked.
    """
    clean = _SAFE.clean(source)
    return _ANY_TAG.sub(_without_remote, clean) if "<img" in clean or " style=" in clean else clean


def _without_remote(tag: re.Match[str]) -> str:
    """Rename `src` of an `img`, drop styles that load; ammonia quotes attributes, so a tag ends where it seems to."""
    kept = _LOADING_STYLE.sub("", tag[0])
    return _SOURCE.sub(_remote, kept) if tag[1] == "img" else kept


def _remote(src: re.Match[str]) -> str:
    return src[0] if src[1].lower().startswith("cid:") else f' data-remote-src="{src[1]}"'


def to_text(source: str) -> str:
    """Return the words of HTML, a line per block, quotations marked with `> `."""
    if not is_bounded(source):
        return html.unescape(_TAG.sub("\n", source[:_MAX_BYTES]))
    plain = _PLAIN.clean(source)
    writer = _Writer()
    for token in _TOKEN.finditer(_DOCTYPE_OF_OFFICE.sub("", plain)):
        if token[2]:
            writer.tag(token[2], closing=bool(token[1]))
        else:
            writer.text(token[0])
    return _MANY_EMPTY_LINES.sub("\n\n", "\n".join(writer.finished())).strip("\n")


class _Writer:
    """Collects lines; white space is folded outside `pre`."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._words: list[str] = []
        self._quotes = self._pre = 0

    def tag(self, name: str, *, closing: bool) -> None:
        if name in ("td", "th"):
            self._words.append(" " if closing else "")
            return
        self._end_line(always=name == "br")
        if name in _PARAGRAPHS and self._lines and self._lines[-1].strip("> "):
            self._lines.append(self._prefix().rstrip())
        step = -1 if closing else 1
        self._quotes = max(0, self._quotes + step * (name == "blockquote"))
        self._pre = max(0, self._pre + step * (name == "pre"))
        if name == "li" and not closing:
            self._words.append("• ")

    def text(self, words: str) -> None:
        if self._pre:
            *lines, last = html.unescape(words).split("\n")
            for line in lines:
                self._words.append(line)
                self._end_line(always=True)
            self._words.append(last)
        else:
            self._words.append(_SPACES.sub(" ", html.unescape(words)))

    def finished(self) -> list[str]:
        self._end_line(always=False)
        return self._lines

    def _end_line(self, *, always: bool) -> None:
        line = "".join(self._words)
        line = line.rstrip() if self._pre else _SPACES.sub(" ", line).strip()
        if line or always:
            self._lines.append((self._prefix() + line).rstrip())
        self._words.clear()

    def _prefix(self) -> str:
        return "> " * min(self._quotes, _MAX_QUOTE_DEPTH)
