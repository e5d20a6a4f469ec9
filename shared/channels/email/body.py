"""From the tree of parts to what a person reads and what is kept as files, PURE. Every leaf ends in one of the two.

An attached mail is both: a file, and opened, so that nobody needs a mail program to read what was forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.channels.email import attached, charset, file_names, html_text, mime, words
from shared.parsed import ParsedFile

MAX_NESTED = 3
"""Signed containers and attached mails within each other."""
MAX_OPENED = 50
"""Attached mails of one mail that are opened; further ones are files only."""
MAX_FILES, MAX_CHARACTERS = 1000, 1_000_000
"""Of all mails that are opened within one: more files would be more commits, more text more than its time."""
_MAILS = ("message/rfc822", "message/global")


@dataclass(slots=True)
class _Piece:
    """A stretch of the body: plain, HTML or both (alternatives)."""

    plain: str = ""
    html: str = ""


@dataclass(slots=True)
class _Found:
    pieces: list[_Piece] = field(default_factory=list)
    files: list[ParsedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    packed: list[_Piece] = field(default_factory=list)
    attached: list[_Piece] = field(default_factory=list)
    attached_files: list[ParsedFile] = field(default_factory=list)
    returned: list[_Piece] = field(default_factory=list)
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    html: str
    files: tuple[ParsedFile, ...]
    notes: str = ""
    """What files say (an invitation, a visiting card): shown below the text, no part of it."""
    attached: str = ""
    """The text of attached mails: part of the full text, and the text of a mail that says nothing itself."""
    returned: str = ""
    """The text of what a report returns, often a mail of ours: part of the full text, never what the mail says."""
    is_signed: bool = False
    """Somebody signed it (S/MIME, PGP); nobody has looked whether it was the sender."""


def read(tree: mime.Part) -> Body:
    """Return the readable text, the safe HTML (a file where it is too large or deep to be made safe) and the files."""
    found = _Collector().part(tree)
    own = _own(found)
    notes = charset.clean("\n\n".join(dict.fromkeys(found.notes)))
    html, left_over = _html(own, notes, [*found.attached, *found.returned])
    files = tuple(file_names.all_different([*found.files, *found.attached_files, *left_over]))
    return Body(_text(own), html, files, notes, _text(found.attached), _text(found.returned), found.is_signed)


def _html(own: list[_Piece], notes: str, attached: list[_Piece]) -> tuple[str, list[ParsedFile]]:
    """Return the safe HTML, without attached mails (they are files) where they are too much; else it is a file."""
    if not any(p.html for p in (*own, *attached)):
        return "", []
    sources, further = _sources(own, notes), _sources(attached)
    if html_text.is_bounded("\n".join([*sources, *further])):
        return _safe(sources, further), []
    if not any(p.html for p in own):
        return "", []
    if html_text.is_bounded("\n".join(sources)):
        return _safe(sources), []
    return "", [ParsedFile("message.html", "text/html", "\n".join(sources).encode("utf-8", "replace"))]


def _safe(*groups: list[str]) -> str:
    """Return them one below the other, each made safe by itself: what one leaves open (`<!--`) hides no other."""
    cleaned = ("\n".join(map(html_text.safe, group)) for group in groups if group)
    return charset.clean("\n<hr>\n".join(cleaned))


def _own(found: _Found) -> list[_Piece]:
    """Return the mail's own words: those of winmail.dat where it has no other."""
    has_words = any(p.plain.strip() or p.html.strip() for p in found.pieces)
    return found.pieces if has_words else found.packed


def _text(pieces: list[_Piece]) -> str:
    return charset.clean("\n".join(filter(None, (p.plain.rstrip() or html_text.to_text(p.html) for p in pieces))))


def _sources(pieces: list[_Piece], notes: str = "") -> list[str]:
    sources = [p.html or f"<pre>{_escaped(p.plain)}</pre>" for p in pieces if p.html or p.plain]
    return [*sources, f"<pre>{_escaped(notes)}</pre>"] if notes else sources


class _Collector:
    """Goes through the parts of one mail; counts what the mails within it hold, so that a hostile one stays bounded."""

    def __init__(self) -> None:
        self._opened = self._files = self._characters = 0

    def _has_room(self) -> bool:
        return self._opened < MAX_OPENED and not self._is_much()

    def _is_much(self) -> bool:
        return self._files > MAX_FILES or self._characters > MAX_CHARACTERS

    def _count(self, inside: _Found) -> None:
        self._opened += 1
        self._files += len(inside.files)
        self._characters += sum(len(piece.plain) + len(piece.html) for piece in inside.pieces)

    def part(self, part: mime.Part, depth: int = 0) -> _Found:
        if part.parts:
            return _joined(part.content_type, [self.part(child, depth) for child in part.parts])
        disposition, disposition_parameters = words.parameters(part.header("content-disposition"))
        name = disposition_parameters.get("filename") or part.parameters.get("name", "")
        if part.content_type in ("text/plain", "text/html", "text/") and not name and disposition != "attachment":
            text = charset.decode(part.body(), part.parameters.get("charset", ""))
            is_html = part.content_type == "text/html"
            return _Found([_Piece(html=text) if is_html else _Piece(plain=charset.clean(text))])
        if depth < MAX_NESTED and self._has_room() and (inside := attached.signed_inside(part, name)):
            signed = self.part(inside, depth + 1)
            self._count(signed)
            return _signed(signed, attached.kept(part, name))
        one = attached.read(part, name)
        packed = [_Piece(one.text, one.html)] if one.text or one.html else []
        found = _Found(files=[*one.files], notes=[one.note] if one.note else [], packed=packed)
        if part.content_type in _MAILS and depth < MAX_NESTED:
            self._open(part, depth, found)
        return found

    def _open(self, part: mime.Part, depth: int, found: _Found) -> None:
        """Add what an attached mail says and holds; one that cannot be read, or is too much, is a file only."""
        if not self._has_room():
            return
        try:
            inside = self.part(mime.read(part.body()), depth + 1)
        except mime.NoHeaders:
            return
        self._count(inside)
        if self._is_much():
            return
        found.attached = [*_own(inside), *inside.attached]
        found.attached_files = [*inside.files, *inside.attached_files]
        found.returned = inside.returned


def _signed(inside: _Found, container: ParsedFile) -> _Found:
    """The container stays a file: whoever wants to check the signature needs it."""
    inside.files.append(container)
    inside.is_signed = True
    return inside


def _joined(content_type: str, found: list[_Found]) -> _Found:
    whole = _Found(is_signed=content_type == "multipart/signed")
    for one in found:
        whole.pieces += one.pieces
        whole.files += one.files
        whole.notes += one.notes
        whole.packed += one.packed
        whole.attached += one.attached
        whole.attached_files += one.attached_files
        whole.returned += one.returned
        whole.is_signed |= one.is_signed
    if content_type == "multipart/report":  # a program wrote it, about a mail whose files are in the returned one
        whole.returned, whole.attached, whole.attached_files = [*whole.attached, *whole.returned], [], []
    if content_type == "multipart/alternative" and whole.pieces:
        whole.pieces = [_merged(whole.pieces)]
    return whole


def _merged(pieces: list[_Piece]) -> _Piece:
    """Return alternatives as one piece: both forms of the same words."""
    plain = "\n".join(p.plain for p in pieces if p.plain.strip())
    return _Piece(plain, "\n".join(p.html for p in pieces if p.html.strip()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
