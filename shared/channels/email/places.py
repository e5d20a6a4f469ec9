"""The durable cursor of a mailbox: for each folder UIDVALIDITY, UID, and from which day mails are ours."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from shared.connector import Cursor

INBOX = "INBOX"
NO_VALIDITY = 0
"""No folder has it (RFC 3501, section 9: nz-number)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to `uid` is accepted; mails older than `since` are none of ours."""

    uid_validity: int
    uid: int
    since: date | None = None


class Places:
    """The places of all folders, saved together: one row holds them all."""

    def __init__(self, cursor: Cursor, places: dict[str, Place], mailbox: str = "") -> None:
        self._cursor, self._places, self._mailbox = cursor, places, mailbox
        self._saving = asyncio.Lock()

    @classmethod
    async def load(cls, cursor: Cursor, first_folder: str, mailbox: str = "") -> Places:
        """Return what was saved; a place from before there were several folders belongs to the first one.

        `mailbox`: whose the numbers are. Those of another mailbox say nothing: its folders are gone through anew.
        """
        saved = await cursor.load()
        places = read(saved, first_folder) if saved else {}
        if saved and mailbox_of(saved) not in ("", mailbox):
            places = {folder: replace(place, uid_validity=NO_VALIDITY) for folder, place in places.items()}
        return cls(cursor, places, mailbox)

    def of(self, folder: str) -> Place | None:
        return self._places.get(folder)

    async def save(self, folder: str, place: Place) -> None:
        """Return once the place is durable."""
        async with self._saving:
            self._places[folder] = place
            await self._cursor.save(write(self._places, self._mailbox))


def read(text: str, first_folder: str = INBOX) -> dict[str, Place]:
    """Return places by folder, from JSON or from UIDVALIDITY:UID[:YYYY-MM-DD]."""
    if not text.startswith("{"):
        validity, uid, *since = text.split(":")
        return {first_folder: Place(int(validity), int(uid), date.fromisoformat(since[0]) if since else None)}
    return {folder: _place(told) for folder, told in json.loads(text)["folders"].items()}


def mailbox_of(text: str) -> str:
    """Return whose the saved numbers are, empty where it was not noted."""
    return str(json.loads(text).get("mailbox", "")) if text.startswith("{") else ""


def write(places: dict[str, Place], mailbox: str = "") -> str:
    folders = {
        folder: {
            "uid_validity": place.uid_validity,
            "uid": place.uid,
            **({"since": place.since.isoformat()} if place.since else {}),
        }
        for folder, place in places.items()
    }
    whose = {"mailbox": mailbox} if mailbox else {}
    return json.dumps({**whose, "folders": folders}, ensure_ascii=False)


def item_key(folder: str, uid_validity: int, uid: int) -> str:
    """Return the handle of a mail; UIDVALIDITY of two folders may be the same."""
    key = f"{uid_validity}.{uid}"
    return key if folder.upper() == INBOX else f"{folder}.{key}"


def _place(told: dict[str, Any]) -> Place:
    since = date.fromisoformat(told["since"]) if "since" in told else None
    return Place(int(told["uid_validity"]), int(told["uid"]), since)
