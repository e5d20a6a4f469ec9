"""From the tree of parts to what a person reads and what is kept as files, PURE. Every leaf ends in one of the two."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.channels.email import attached, charset, file_names, html_text, mime, words
from shared.connector import ParsedFile

MAX_SIGNATURES = 3
"""Signed containers within each other."""


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
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    html: str
    files: tuple[ParsedFile, ...]
    notes: str = ""
    """What files say (an invitation, a visiting card): shown below the text, no part of it."""
    is_signed: bool = False
    """Somebody signed it (S/MIME, PGP); nobody has looked whether it was the sender."""


def read(tree: mime.Part) -> Body:
    """Return the readable text, the safe HTML (a file where it is too large or deep to be made safe) and the files."""
    found = _collect(tree)
    pieces = found.pieces if any(p.plain.strip() or p.html.strip() for p in found.pieces) else found.packed
    text = charset.clean("\n".join(filter(None, (p.plain.rstrip() or html_text.to_text(p.html) for p in pieces))))
    notes = charset.clean("\n\n".join(dict.fromkeys(found.notes)))
    source = "\n".join(p.html or f"<pre>{_escaped(p.plain)}</pre>" for p in pieces if p.html or p.plain)
    files = [*found.files]
    html = ""
    if any(p.html for p in pieces):
        source = f"{source}\n<pre>{_escaped(notes)}</pre>" if notes else source
        if html_text.is_bounded(source):
            html = charset.clean(html_text.safe(source))
        else:
            files.append(ParsedFile("message.html", "text/html", source.encode("utf-8", "replace")))
    return Body(text, html, tuple(file_names.all_different(files)), notes, found.is_signed)


def _collect(part: mime.Part, signatures: int = 0) -> _Found:
    if part.parts:
        return _joined(part.content_type, [_collect(child, signatures) for child in part.parts])
    disposition, disposition_parameters = words.parameters(part.header("content-disposition"))
    name = disposition_parameters.get("filename") or part.parameters.get("name", "")
    if part.content_type in ("text/plain", "text/html", "text/") and not name and disposition != "attachment":
        text = charset.decode(part.body(), part.parameters.get("charset", ""))
        return _Found([_Piece(html=text) if part.content_type == "text/html" else _Piece(plain=charset.clean(text))])
    if signatures < MAX_SIGNATURES and (inside := attached.signed_inside(part, name)):
        return _signed(_collect(inside, signatures + 1), attached.kept(part, name))
    one = attached.read(part, name)
    packed = [_Piece(one.text, one.html)] if one.text or one.html else []
    return _Found(files=[*one.files], notes=[one.note] if one.note else [], packed=packed)


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
        whole.is_signed |= one.is_signed
    if content_type == "multipart/alternative" and whole.pieces:
        whole.pieces = [_merged(whole.pieces)]
    return whole


def _merged(pieces: list[_Piece]) -> _Piece:
    """Return alternatives as one piece: both forms of the same words."""
    plain = "\n".join(p.plain for p in pieces if p.plain.strip())
    return _Piece(plain, "\n".join(p.html for p in pieces if p.html.strip()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
