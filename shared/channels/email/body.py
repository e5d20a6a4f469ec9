"""From the tree of parts to what a person reads and what is kept as files, PURE. Every leaf ends in one of the two."""

from __future__ import annotations

import mimetypes
import os.path
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.channels.email import charset, html_text, mime, words
from shared.connector import ParsedFile

_SEPARATORS = re.compile(r'[/\\:*?"<>|]+')
_EXTENSIONS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "text/plain": ".txt",
    "text/calendar": ".ics",
}
_GENERIC = {"image": "image", "audio": "audio", "video": "video", "message": "message", "text": "text"}
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(slots=True)
class _Piece:
    """A stretch of the body: plain, HTML or both (alternatives)."""

    plain: str = ""
    html: str = ""


@dataclass(slots=True)
class _Found:
    pieces: list[_Piece] = field(default_factory=list)
    files: list[ParsedFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    html: str
    files: tuple[ParsedFile, ...]


def read(tree: mime.Part) -> Body:
    """Return the readable text, the safe HTML (a file where it is too large or deep to be made safe) and the files."""
    found = _collect(tree)
    text = charset.clean("\n".join(filter(None, (p.plain.rstrip() or html_text.to_text(p.html) for p in found.pieces))))
    source = "\n".join(p.html or f"<pre>{_escaped(p.plain)}</pre>" for p in found.pieces if p.html or p.plain)
    has_html = any(p.html for p in found.pieces)
    files = [*found.files]
    html = ""
    if has_html and html_text.is_bounded(source):
        html = charset.clean(html_text.safe(source))
    elif has_html:
        files.append(ParsedFile("message.html", "text/html", source.encode("utf-8", "replace")))
    return Body(text, html, tuple(_with_different_names(files)))


def safe_name(name: str, content_type: str) -> str:
    """Return a file name without folders, control characters, devices or dots in front; never empty."""
    name = charset.one_line(name, 4_000).replace("\u202e", "")
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = _SEPARATORS.sub("_", name).strip(". ")
    stem, dot, extension = name.rpartition(".")
    if len(name) > 150:
        name = f"{(stem or extension)[:130]}{dot}{extension[:15]}" if dot else name[:150]
    if not name or _DEVICES.fullmatch(name):
        extension = _EXTENSIONS.get(content_type) or mimetypes.guess_extension(content_type) or ".bin"
        name = f"{_GENERIC.get(content_type.partition('/')[0], 'attachment')}{extension}"
    return name


def _collect(part: mime.Part) -> _Found:
    if part.parts:
        found = [_collect(child) for child in part.parts]
        files = [each for one in found for each in one.files]
        pieces = [each for one in found for each in one.pieces]
        if part.content_type == "multipart/alternative":
            return _Found([_merged(pieces)] if pieces else [], files)
        return _Found(pieces, files)
    disposition, disposition_parameters = words.parameters(part.header("content-disposition"))
    name = disposition_parameters.get("filename") or part.parameters.get("name", "")
    is_body = part.content_type in ("text/plain", "text/html", "text/") and not name and disposition != "attachment"
    if is_body:
        text = charset.decode(part.body(), part.parameters.get("charset", ""))
        piece = _Piece(html=text) if part.content_type == "text/html" else _Piece(plain=charset.clean(text))
        return _Found([piece])
    return _Found([], [_file(part, name)])


def _merged(pieces: list[_Piece]) -> _Piece:
    """Return alternatives as one piece: both forms of the same words."""
    plain = "\n".join(p.plain for p in pieces if p.plain.strip())
    return _Piece(plain, "\n".join(p.html for p in pieces if p.html.strip()))


def _file(part: mime.Part, name: str) -> ParsedFile:
    media_type = part.content_type if len(part.content_type) < 128 else "application/octet-stream"
    content_id = words.text(part.header("content-id"), 200).strip("<> ")
    if not name and media_type == "message/rfc822":
        name = _subject_of(part.body())
    return ParsedFile(safe_name(name, media_type), media_type, part.body(), content_id)


def _subject_of(mail: bytes) -> str:
    """Return a name for a mail inside a mail, from its subject."""
    try:
        subject = words.text(mime.read(mail[: words.MAX_HEADER_BYTES]).header("subject"), 100)
    except mime.NoHeaders:
        return ""
    return f"{subject}.eml" if subject else ""


def _with_different_names(files: list[ParsedFile]) -> Iterator[ParsedFile]:
    """Yield the files, those with one name numbered: `scan.pdf`, `scan (2).pdf`."""
    taken: dict[str, int] = {}
    for each in files:
        count = taken[each.name.lower()] = taken.get(each.name.lower(), 0) + 1
        stem, extension = os.path.splitext(each.name)
        name = each.name if count == 1 else f"{stem} ({count}){extension}"
        yield ParsedFile(name, each.media_type, each.data, each.content_id)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
