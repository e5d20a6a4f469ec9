"""The durable cursor of a mailbox: for each folder UIDVALIDITY, UID, and from which day mails are ours."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.connector import Cursor

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to `uid` is accepted; mails older than `since` are none of ours."""

    uid_validity: int
    uid: int
    since: date | None = None


class Places:
    """The places of all folders, saved together: one row holds them all."""

    def __init__(self, cursor: Cursor, places: dict[str, Place]) -> None:
        self._cursor, self._places = cursor, places
        self._saving = asyncio.Lock()

    @classmethod
    async def load(cls, cursor: Cursor, first_folder: str) -> Places:
        """Return what was saved; a place from before there were several folders belongs to the first one."""
        saved = await cursor.load()
        return cls(cursor, read(saved, first_folder) if saved else {})

    def of(self, folder: str) -> Place | None:
        return self._places.get(folder)

    async def save(self, folder: str, place: Place) -> None:
        """Return once the place is durable."""
        async with self._saving:
            self._places[folder] = place
            await self._cursor.save(write(self._places))


def read(text: str, first_folder: str = INBOX) -> dict[str, Place]:
    """Return places by folder, from JSON or from UIDVALIDITY:UID[:YYYY-MM-DD]."""
    if not text.startswith("{"):
        validity, uid, *since = text.split(":")
        return {first_folder: Place(int(validity), int(uid), date.fromisoformat(since[0]) if since else None)}
    return {folder: _place(told) for folder, told in json.loads(text)["folders"].items()}


def write(places: dict[str, Place]) -> str:
    folders = {
        folder: {
            "uid_validity": place.uid_validity,
            "uid": place.uid,
            **({"since": place.since.isoformat()} if place.since else {}),
        }
        for folder, place in places.items()
    }
    return json.dumps({"folders": folders}, ensure_ascii=False)


def item_key(folder: str, uid_validity: int, uid: int) -> str:
    """Return the handle of a mail; UIDVALIDITY of two folders may be the same."""
    key = f"{uid_validity}.{uid}"
    return key if folder.upper() == INBOX else f"{folder}.{key}"


def _place(told: dict[str, Any]) -> Place:
    since = date.fromisoformat(told["since"]) if "since" in told else None
    return Place(int(told["uid_validity"]), int(told["uid"]), since)
