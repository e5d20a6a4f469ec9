"""A part that is no text of the mail, PURE: kept as a file, and told in words where nobody could read the file."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass

from shared.channels.email import charset, file_names, invitation, mime, opaque, reports, tnef, visiting_card, words
from shared.parsed import ParsedFile

_CALENDARS = ("text/calendar", "application/ics")
_CARDS = ("text/vcard", "text/x-vcard", "text/directory")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Attached:
    """`note` is shown below the text; `text` and `html` are the mail's own where it has no other (winmail.dat)."""

    files: tuple[ParsedFile, ...]
    note: str = ""
    text: str = ""
    html: str = ""


def read(part: mime.Part, name: str) -> Attached:
    """Return what a part holds; `name` is the one its header gives, if any."""
    file = kept(part, name)
    declared = part.parameters.get("charset", "")
    if (part.content_type in _TNEF or file.name.lower() == "winmail.dat") and (packed := tnef.read(file.data)):
        return _unpacked(file, packed)
    if part.content_type in _CALENDARS or file.name.lower().endswith(".ics"):
        return Attached((file,), invitation.describe(file.data, declared))
    if part.content_type in _CARDS or file.name.lower().endswith(".vcf"):
        return Attached((file,), visiting_card.describe(file.data, declared))
    if part.content_type == "message/delivery-status" and not reports.is_report(part):
        return Attached((file,), charset.clean(charset.decode(file.data, declared)).strip())
    return Attached((file,), _locked(part, file.name, file.data))


def kept(part: mime.Part, name: str) -> ParsedFile:
    """Return a part as the file it is; `name` is the one its header gives, if any."""
    media_type = part.content_type if len(part.content_type) < 128 else _UNKNOWN
    content_id = words.text(part.header("content-id"), 200).strip("<> ")
    data = part.body()
    if not name and media_type == "message/rfc822":
        name = _subject_of(data)
    return ParsedFile(file_names.safe(name, media_type), media_type, data, content_id)


def _locked(part: mime.Part, name: str, data: bytes) -> str:
    """Say that the text of the mail lies in a file that only its reader's key or program opens."""
    if part.content_type in SMIME:
        match part.parameters.get("smime-type", "").lower() or f"{opaque.kind_of(data)}-data":
            case "certs-only":
                return ""
            case "signed-data":  # what can be read is taken out before
                return f"[Signed with S/MIME, but there is no text in {name}]"
            case "compressed-data":
                return f"[Compressed with S/MIME: {name} opens in a mail program]"
            case _:
                return f"[Encrypted with S/MIME: {name} opens in a mail program that has the key]"
    if part.content_type == "application/pgp-encrypted":
        return "[Encrypted with PGP: the attached file opens in a program that has the key]"
    return ""


def signed_inside(part: mime.Part, name: str) -> mime.Part | None:
    """Return the mail within an opaque signature; None for any other part. Who signed is not looked at."""
    if part.content_type not in SMIME and not (part.content_type == _UNKNOWN and name.lower().endswith(".p7m")):
        return None
    inside = opaque.content(part.body())
    try:
        return mime.read(inside) if inside else None
    except mime.NoHeaders:
        return None


def _unpacked(file: ParsedFile, packed: tnef.Contents) -> Attached:
    """Return what winmail.dat holds; one that holds nothing readable stays as it is."""
    files = [_packed_file(each) for each in packed.files]
    has_text = bool(packed.text.strip() or packed.html.strip())
    if packed.rtf and not has_text:
        files.append(ParsedFile("message.rtf", "application/rtf", packed.rtf))
    if not files and not has_text:
        return Attached((file,))
    return Attached(tuple(files), "", charset.clean(packed.text), packed.html)


def _packed_file(each: tnef.File) -> ParsedFile:
    guessed = each.media_type or mimetypes.guess_type(each.name)[0] or _UNKNOWN
    media_type = guessed.lower() if "/" in guessed and len(guessed) < 128 and guessed.isascii() else _UNKNOWN
    return ParsedFile(file_names.safe(each.name, media_type), media_type, each.data, each.content_id)


def _subject_of(mail: bytes) -> str:
    """Return a name for a mail inside a mail, from its subject."""
    try:
        subject = words.text(mime.read(mail[: words.MAX_HEADER_BYTES]).header("subject"), 100)
    except mime.NoHeaders:
        return ""
    return f"{subject}.eml" if subject else ""
