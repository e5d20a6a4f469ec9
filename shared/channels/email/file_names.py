"""Names of attached files, PURE: whatever a mail claims, the result is one safe component of a path."""

from __future__ import annotations

import mimetypes
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from shared.channels.email import charset
from shared.parsed import ParsedFile

_SEPARATORS = re.compile(r'[/\\:*?"<>|]+')
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Zero-width and direction signs: with them `exe.pdf` is shown where `fdp.exe` is stored."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_WELL_KNOWN = {
    "message/delivery-status": "message.txt",
    "text/rfc822-headers": "headers.txt",
    "text/calendar": "invitation.ics",
    "application/ics": "invitation.ics",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
    "text/directory": "contact.vcf",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "pgp-version.txt",
    "application/pgp-keys": "public-key.asc",
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
}
_EXTENSIONS = {"message/rfc822": ".eml", "text/plain": ".txt", "application/octet-stream": ".bin"}
_GENERIC = {"image", "audio", "video", "message", "text"}


def safe(name: str, media_type: str) -> str:
    """Return a file name without folders, control characters, devices or dots in front; never empty."""
    name = _INVISIBLE.sub("", charset.one_line(name, 4_000))
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = _SEPARATORS.sub("_", name).strip(". ")
    stem, dot, extension = name.rpartition(".")
    if len(name) > 150:
        name = f"{(stem or extension)[:130]}{dot}{extension[:15]}" if dot else name[:150]
    return _for_type(media_type) if not name or _DEVICES.fullmatch(name) else name


def all_different(files: list[ParsedFile]) -> Iterator[ParsedFile]:
    """Yield the files, those with one name numbered: `scan.pdf`, `scan (2).pdf`."""
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for each in files:
        stem, extension = posixpath.splitext(each.name)
        name = each.name
        while name.lower() in taken:
            count = counts[each.name.lower()] = counts.get(each.name.lower(), 1) + 1
            name = f"{stem} ({count}){extension}"
        taken.add(name.lower())
        yield replace(each, name=name)


def _for_type(media_type: str) -> str:
    if media_type in _WELL_KNOWN:
        return _WELL_KNOWN[media_type]
    family = media_type.partition("/")[0]
    extension = _EXTENSIONS.get(media_type) or mimetypes.guess_extension(media_type) or ".bin"
    return f"{family if family in _GENERIC else 'attachment'}{extension}"
