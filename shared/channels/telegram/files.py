"""PURE: the files of a message, to be fetched later by their file_id; a name is made up where Telegram has none."""

from __future__ import annotations

import re

from shared.channels.telegram.view import Json, obj, objs, text, whole
from shared.contracts.inbound import RemoteFile

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Zero-width and direction signs: with them `exe.pdf` is shown where `fdp.exe` is stored."""
_KINDS = {
    "animation": ("mp4", "video/mp4"),
    "audio": ("mp3", "audio/mpeg"),
    "document": ("bin", "application/octet-stream"),
    "video": ("mp4", "video/mp4"),
    "video_note": ("mp4", "video/mp4"),
    "voice": ("ogg", "audio/ogg"),
    "live_photo": ("mp4", "video/mp4"),
}


def remote_files(message: Json) -> tuple[RemoteFile, ...]:
    """Return every file of a message once: an animation is given as a document, too."""
    number = whole(message, "message_id")
    found = [_file(kind, obj(message, kind), number) for kind in _KINDS if obj(message, kind)]
    found += [_photo(objs(message, "photo"), number), _sticker(obj(message, "sticker"), number)]
    for place, media in enumerate(objs(obj(message, "paid_media"), "paid_media")):
        kind = text(media, "type")
        found.append(
            _photo(objs(media, "photo"), f"{number}-{place}")
            if kind == "photo"
            else _file(kind, obj(media, kind), f"{number}-{place}")
        )
    return tuple({file.ref: file for file in found if file and file.ref}.values())


def _file(kind: str, file: Json, number: object) -> RemoteFile | None:
    suffix, media_type = _KINDS.get(kind, ("bin", "application/octet-stream"))
    return _remote(file, f"{kind}-{number}.{suffix}", media_type)


def _photo(sizes: list[Json], number: object) -> RemoteFile | None:
    """The largest of the sizes Telegram made."""
    best = max(sizes, key=lambda size: whole(size, "width") * whole(size, "height"), default=None)
    return _remote(best, f"photo-{number}.jpg", "image/jpeg") if best else None


def _sticker(sticker: Json, number: object) -> RemoteFile | None:
    if sticker.get("is_animated") is True:
        return _remote(sticker, f"sticker-{number}.tgs", "application/x-tgsticker")
    if sticker.get("is_video") is True:
        return _remote(sticker, f"sticker-{number}.webm", "video/webm")
    return _remote(sticker, f"sticker-{number}.webp", "image/webp")


def _remote(file: Json, name: str, media_type: str) -> RemoteFile:
    given = _INVISIBLE.sub("", text(file, "file_name")).replace("\\", "/").rpartition("/")[2].strip()
    size = whole(file, "file_size")
    return RemoteFile(
        ref=text(file, "file_id"),
        name=given[:200] or name,
        media_type=text(file, "mime_type") or media_type,
        size=size if size > 0 else None,
    )
