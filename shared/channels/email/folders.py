"""Reads one folder by IMAP. Its place moves only after `accept` returned for every mail up to it.

When UIDVALIDITY changes, everything (from the first day on) is read again; the inlet knows what it already has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from shared.channels.email import config
from shared.channels.email.imap import CommandRefused, Connection, Folder
from shared.channels.email.imap_words import imap_date
from shared.channels.email.oauth import Tokens
from shared.channels.email.parse import ARRIVED, MAX_MAIL_BYTES, REFUSED
from shared.channels.email.places import Place, Places, item_key
from shared.channels.email.status import Status
from shared.clock import now, to_text
from shared.connector import Inlet
from shared.parsed import RawItem
from shared.said import said

IDLE_SECONDS = 9 * 60.0
"""Servers may hang up after 30 min (RFC 2177), some routers forget a silent connection after 10."""
POLL_SECONDS = 10.0
MAILS_PER_FETCH = 200
BYTES_PER_FETCH = 4 * 1024 * 1024
KEPT_OF_TOO_LARGE = 64 * 1024
TRIES_OF_ONE_MAIL = 3
PAUSE_BETWEEN_TRIES_SECONDS = 0.5


class FolderReader:
    """One folder over one connection; every failure ends `run`, a new one goes on from the place."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, str],
        inlet: Inlet,
        places: Places,
        status: Status,
        tokens: Tokens | None,
    ) -> None:
        self._name, self._settings, self._inlet = name, settings, inlet
        self._places, self._status, self._tokens = places, status, tokens
        self.let_in = asyncio.Event()
        """Set once the server has taken the login."""

    async def run(self) -> None:
        """Read until cancelled; a session ends when its access token is about to. Raises ImapError."""
        while True:
            await self._session()

    async def _session(self) -> None:
        connection = Connection(config.imap_server(self._settings), self._tokens)
        try:
            await connection.open()
            self.let_in.set()
            place = await self._start(connection, await connection.select(self._name))
            while True:
                place = await self._catch_up(connection, place)
                left = self._tokens.seconds_left if self._tokens else IDLE_SECONDS
                if left <= 0:
                    return
                await connection.wait_for_mail(min(IDLE_SECONDS, left), POLL_SECONDS)
        finally:
            connection.close()

    # --- where to go on -----------------------------------------------------------------------------------

    async def _start(self, connection: Connection, folder: Folder) -> Place:
        """Return where to go on; a first place that skips mails is saved before anything else."""
        place = self._places.of(self._name)
        if place is not None and not await _renumbered(connection, place, folder):
            return place
        if place is None:
            place = await self._first_place(connection, folder)
        else:
            place = await self._after_renumbering(connection, folder, place)
        await self._places.save(self._name, place)
        return place

    async def _first_place(self, connection: Connection, folder: Folder) -> Place:
        reach = config.first_fetch(self._settings)
        if reach is None:
            return Place(folder.uid_validity, 0)
        if reach == timedelta(0):
            uid = max(await connection.search("UID *"), default=0)
            return Place(folder.uid_validity, max(uid, (folder.uid_next or 1) - 1), now().date())
        return await _since(connection, folder, (now() - reach).date())

    async def _after_renumbering(self, connection: Connection, folder: Folder, place: Place) -> Place:
        if place.since is None:
            return Place(folder.uid_validity, 0)
        return replace(await _since(connection, folder, place.since - timedelta(days=1)), since=place.since)

    # --- mails --------------------------------------------------------------------------------------------

    async def _catch_up(self, connection: Connection, place: Place) -> Place:
        """Accept everything the folder has beyond `place`."""
        found = await connection.search(f"UID {place.uid + 1}:*")
        waiting = [uid for uid in found if uid > place.uid]  # n:* always has the last mail (RFC 3501, 6.4.8)
        self._status.lag(self._name, len(waiting))
        for start in range(0, len(waiting), MAILS_PER_FETCH):
            uids = waiting[start : start + MAILS_PER_FETCH]
            sizes, arrived = await connection.listed(uids)
            for batch in _batches([uid for uid in uids if uid in sizes], sizes):
                mails = await _read(connection, batch, sizes)
                await self._accept(place.uid_validity, mails, arrived)
                await self._put_away(connection, list(mails))
                place = await self._save(replace(place, uid=batch[-1]))
            if place.uid != uids[-1]:
                place = await self._save(replace(place, uid=uids[-1]))
            self._status.lag(self._name, len(waiting) - start - len(uids))
        return place

    async def _accept(
        self, uid_validity: int, mails: dict[int, tuple[bytes, str]], arrived: dict[int, datetime]
    ) -> None:
        """Give the mails to the inlet at once, in their order; returns when all are durable."""
        at = now()
        try:
            async with asyncio.TaskGroup() as group:
                for uid, (data, refused) in mails.items():
                    context = {ARRIVED: to_text(arrived[uid])} if uid in arrived else {}
                    context |= {REFUSED: refused} if refused else {}
                    key = item_key(self._name, uid_validity, uid)
                    group.create_task(self._inlet.accept(RawItem(data, "message/rfc822", at, key, context)))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _put_away(self, connection: Connection, uids: list[int]) -> None:
        """Mark or move mails that are durable here. A server that refuses is told of and holds up nothing."""
        what = self._settings["after_receiving"]
        if what == "nothing" or not uids:
            return
        try:
            if what == "seen":
                await connection.mark(uids, r"\Seen")
            else:
                await connection.move(uids, self._settings["move_to"])
        except CommandRefused as error:
            self._status.problem(f"{self._name}, after receiving", said(error))
        else:
            self._status.solved(f"{self._name}, after receiving")

    async def _save(self, place: Place) -> Place:
        await self._places.save(self._name, place)
        return place


async def _since(connection: Connection, folder: Folder, day: date) -> Place:
    """Return the place before the first mail that arrived on or after `day`."""
    wanted = await connection.search(f"SINCE {imap_date(day)}")
    before = min(wanted) - 1 if wanted else max(await connection.search("UID *"), default=0)
    return Place(folder.uid_validity, before, day)


async def _renumbered(connection: Connection, place: Place, folder: Folder) -> bool:
    """Also a server that came back from a backup without a new UIDVALIDITY, against RFC 3501, 2.3.1.1."""
    if place.uid_validity != folder.uid_validity:
        return True
    if folder.uid_next is None or folder.uid_next > place.uid:
        return False
    return max(await connection.search("UID *"), default=0) < place.uid


async def _read(connection: Connection, uids: Sequence[int], sizes: dict[int, int]) -> dict[int, tuple[bytes, str]]:
    """Return (mail, why it is not whole) by UID; mails expunged meanwhile are absent."""
    if len(uids) == 1 and sizes[uids[0]] > MAX_MAIL_BYTES:
        start = await connection.mails(uids, KEPT_OF_TOO_LARGE, first_bytes=KEPT_OF_TOO_LARGE)
        reason = f"the mail has {sizes[uids[0]]} bytes, more than {MAX_MAIL_BYTES}; only its beginning was fetched"
        return {uid: (data, reason) for uid, data in start.items()}
    mails = await connection.mails(uids, sum(sizes[uid] for uid in uids))
    read = {uid: (mails[uid], "") for uid in uids if uid in mails}
    for uid in uids:
        if uid not in mails and await connection.search(f"UID {uid}"):
            read[uid] = await _insist(connection, uid, sizes[uid])
    return dict(sorted(read.items()))


async def _insist(connection: Connection, uid: int, size: int) -> tuple[bytes, str]:
    """Ask for a mail that is there but was not given; after some tries it counts as refused: the others go on."""
    for _ in range(TRIES_OF_ONE_MAIL):
        await asyncio.sleep(PAUSE_BETWEEN_TRIES_SECONDS)
        if data := (await connection.mails([uid], size)).get(uid):
            return data, ""
    return b"", f"the server lists a mail with UID {uid} ({size} bytes) but does not give it"


def _batches(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    """Yield neighbours whose sizes add up to at most BYTES_PER_FETCH; a larger mail alone."""
    batch: list[int] = []
    total = 0
    for uid in uids:
        if batch and total + sizes[uid] > BYTES_PER_FETCH:
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += sizes[uid]
    if batch:
        yield batch
