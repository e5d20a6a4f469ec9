"""Reads one folder by IMAP. The cursor moves only after `accept` returned for every mail up to it.

The cursor is UIDVALIDITY:UID, with :YYYY-MM-DD behind it where the first connect skipped older mails. When UIDVALIDITY
changes, everything (from that day on) is read again; the inlet knows what it already has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.channels.email import config
from shared.channels.email.imap import Connection, Folder, imap_date
from shared.channels.email.parse import MAX_MAIL_BYTES, REFUSED
from shared.clock import now
from shared.connector import Channel, Inlet, RawItem

IDLE_SECONDS = 9 * 60.0
POLL_SECONDS = 10.0
MAILS_PER_FETCH = 100
BYTES_PER_FETCH = 4 * 1024 * 1024
KEPT_OF_TOO_LARGE = 64 * 1024
TRIES_OF_ONE_MAIL = 3
PAUSE_BETWEEN_TRIES_SECONDS = 0.5


def receiver(channel: Channel, inlet: Inlet) -> ImapReceiver | Resting:
    """Return the receiver of a mailbox; one that only sends has nothing to receive."""
    return ImapReceiver(channel, inlet) if channel.settings["imap_host"] else Resting(inlet)


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to `uid` is accepted; mails older than `since` are none of ours."""

    uid_validity: int
    uid: int
    since: date | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        validity, uid, *since = text.split(":")
        return cls(int(validity), int(uid), date.fromisoformat(since[0]) if since else None)

    def __str__(self) -> str:
        return f"{self.uid_validity}:{self.uid}" + (f":{self.since.isoformat()}" if self.since else "")


class Resting:
    """The receiver of a mailbox without imap_host."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet

    async def run(self) -> None:
        self._inlet.report(lag=0, problem=None)
        await asyncio.get_running_loop().create_future()


class ImapReceiver:
    """The inbound role of a mailbox: one connection; every failure ends `run`, a new one goes on from the cursor."""

    def __init__(self, channel: Channel, inlet: Inlet, poll_seconds: float = POLL_SECONDS) -> None:
        self._channel, self._inlet, self._poll_seconds = channel, inlet, poll_seconds

    async def run(self) -> None:
        connection = Connection(config.imap_server(self._channel.settings))
        try:
            await connection.open()
            folder = await connection.select(self._channel.settings["imap_folder"])
            place = await self._start(connection, folder)
            while True:
                place = await self._catch_up(connection, place)
                await connection.wait_for_mail(IDLE_SECONDS, self._poll_seconds)
        finally:
            connection.close()

    async def _start(self, connection: Connection, folder: Folder) -> Place:
        """Return where to go on; a first place that skips mails is saved before anything else."""
        saved = await self._inlet.cursor.load()
        if saved is None:
            place = await self._first_place(connection, folder)
        else:
            place = Place.parse(saved)
            if place.uid_validity == folder.uid_validity:
                return place
            place = await self._after_renumbering(connection, folder, place)
        await self._inlet.cursor.save(str(place))
        return place

    async def _first_place(self, connection: Connection, folder: Folder) -> Place:
        reach = config.first_fetch(self._channel.settings)
        if reach is None:
            return Place(folder.uid_validity, 0)
        if reach == timedelta(0):
            uid = max(await connection.search("UID *"), default=0)
            return Place(folder.uid_validity, max(uid, (folder.uid_next or 1) - 1), now().date())
        return await self._since(connection, folder, (now() - reach).date())

    async def _after_renumbering(self, connection: Connection, folder: Folder, place: Place) -> Place:
        if place.since is None:
            return Place(folder.uid_validity, 0)
        return await self._since(connection, folder, place.since - timedelta(days=1))

    async def _since(self, connection: Connection, folder: Folder, day: date) -> Place:
        """Return the place before the first mail that arrived on or after `day`."""
        wanted = await connection.search(f"SINCE {imap_date(day)}")
        before = min(wanted) - 1 if wanted else max(await connection.search("UID *"), default=0)
        return Place(folder.uid_validity, before, day)

    async def _catch_up(self, connection: Connection, place: Place) -> Place:
        """Accept everything the folder has beyond `place`."""
        found = await connection.search(f"UID {place.uid + 1}:*")
        waiting = [uid for uid in found if uid > place.uid]  # n:* always has the last mail (RFC 3501, 6.4.8)
        self._inlet.report(lag=len(waiting), problem=None)
        for start in range(0, len(waiting), MAILS_PER_FETCH):
            uids = waiting[start : start + MAILS_PER_FETCH]
            sizes = await connection.sizes(uids)
            for batch in _batches([uid for uid in uids if uid in sizes], sizes):
                await self._accept(place.uid_validity, await _read(connection, batch, sizes))
                place = await self._save(replace(place, uid=batch[-1]))
            if place.uid != uids[-1]:
                place = await self._save(replace(place, uid=uids[-1]))
            self._inlet.report(lag=len(waiting) - start - len(uids), problem=None)
        return place

    async def _accept(self, uid_validity: int, mails: dict[int, tuple[bytes, str]]) -> None:
        """Give the mails to the inlet at once, in their order; returns when all are durable."""
        at = now()
        try:
            async with asyncio.TaskGroup() as group:
                for uid, (data, refused) in mails.items():
                    context = {REFUSED: refused} if refused else {}
                    item = RawItem(data, "message/rfc822", at, f"{uid_validity}.{uid}", context)
                    group.create_task(self._inlet.accept(item))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _save(self, place: Place) -> Place:
        await self._inlet.cursor.save(str(place))
        return place


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
