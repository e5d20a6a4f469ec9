"""Receives for a mailbox: by IMAP one task for each folder, or by listening for a mail server (`receive_by`)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from shared.channels.email import config
from shared.channels.email.folders import FolderReader
from shared.channels.email.listener import Listener
from shared.channels.email.oauth import Tokens
from shared.channels.email.places import Places
from shared.channels.email.status import Status
from shared.connector import Channel, Inlet, Receiver, ReceiverRefused
from shared.said import said

LONGEST_PAUSE_SECONDS = 60.0
REFUSED_PAUSE_SECONDS = (60.0, 900.0)
"""After the first refusal, which may be a server in trouble, and after the next ones: each folder logs in."""


@runtime_checkable
class KeepsSettings(Protocol):
    """An inlet that can keep settings the provider changed (a new refresh token)."""

    async def keep_settings(self, changes: Mapping[str, str]) -> None:
        """Return once they are durable."""


def receiver(channel: Channel, inlet: Inlet) -> Receiver:
    """Return the receiver of a mailbox; one that only sends has nothing to receive."""
    if channel.settings["receive_by"] != "imap":
        return Listener(channel, inlet)
    return ImapReceiver(channel, inlet) if channel.settings["imap_host"] else Resting(inlet)


class Resting:
    """The receiver of a mailbox without imap_host."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet

    async def run(self) -> None:
        self._inlet.report(lag=0, problem=None)
        await asyncio.get_running_loop().create_future()


class ImapReceiver:
    """The inbound role of a mailbox. What breaks the first folder ends `run`; another one is tried again here."""

    def __init__(self, channel: Channel, inlet: Inlet) -> None:
        self._settings, self._inlet = channel.settings, inlet

    async def run(self) -> None:
        first, *others = config.folders(self._settings)
        mailbox = f"{self._settings['imap_username'] or self._settings['address']}@{self._settings['imap_host']}"
        places = await Places.load(self._inlet.cursor, first, mailbox)
        tokens = self._tokens()
        status = Status(self._inlet, tokens.warning if tokens else lambda: None)
        try:
            async with asyncio.TaskGroup() as group:
                reader = self._reader(first, places, status, tokens)
                group.create_task(reader.run())
                for name in others:
                    group.create_task(_keep(name, self._reader(name, places, status, tokens), status, reader.let_in))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def _reader(self, name: str, places: Places, status: Status, tokens: Tokens | None) -> FolderReader:
        return FolderReader(name, self._settings, self._inlet, places, status, tokens)

    def _tokens(self) -> Tokens | None:
        if not config.uses_oauth(self._settings):
            return None
        keep = self._inlet.keep_settings if isinstance(self._inlet, KeepsSettings) else None
        return Tokens(self._settings, keep)


async def _keep(name: str, reader: FolderReader, status: Status, let_in: asyncio.Event) -> None:
    """Read a folder that the others do not depend on: what goes wrong is told and tried again, later each time.

    It begins when the server has let the first one in: a wrong password is tried once and not once a folder.
    """
    await let_in.wait()
    failures, refusals = 0, 0
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await reader.run()
        except OSError as error:
            lasted = asyncio.get_running_loop().time() - started
            failures = 1 if lasted > LONGEST_PAUSE_SECONDS else failures + 1
            refused = isinstance(error, ReceiverRefused)
            refusals = (0 if lasted > LONGEST_PAUSE_SECONDS else refusals) + refused
            rest = REFUSED_PAUSE_SECONDS[min(refusals, len(REFUSED_PAUSE_SECONDS)) - 1]
            status.problem(name, said(error) + f"; it is tried again in {rest / 60:.0f} min" * refused)
            if refused:
                await asyncio.sleep(rest)
        pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(failures, 10))
        await asyncio.sleep(pause * (0.75 + random.random() / 2))  # noqa: S311 (spread, not secrecy)
