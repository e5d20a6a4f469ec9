"""The mailbox's folder of sent mails: a copy of each goes there behind the sending, and it can settle a fate.

Losing a copy loses no mail, so nobody waits for one; the same Message-ID is put there once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from uuid import UUID

from shared.channels.email import config
from shared.channels.email.build import Mail
from shared.channels.email.imap import CommandRefused, Connection, LoginRefused
from shared.channels.email.oauth import Tokens
from shared.logs import Log
from shared.said import said

WAITING_BYTES = 64 * 1024 * 1024
TRIES = 3
PAUSES_SECONDS = (1.0, 10.0)
LINGER_SECONDS = 20.0
LOOK_SECONDS = 12.0
LOOK_AGAIN_SECONDS = 2.0
CLOSE_SECONDS = 5.0
REFUSED_PAUSE_SECONDS = 900.0
"""After a refused login nobody tries again for so long: providers lock accounts."""
log = Log("email.sent_folder")
T = TypeVar("T")


class SentFolder:
    """One IMAP connection, opened when there is something to do and closed soon after."""

    def __init__(self, channel_id: UUID, settings: Mapping[str, str], tokens: Tokens | None = None) -> None:
        self._channel_id, self._settings, self._tokens = channel_id, settings, tokens
        self._name = settings["sent_folder"]
        self._waiting: asyncio.Queue[Mail] = asyncio.Queue()
        self._bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self._refused: tuple[float, str] | None = None
        self._logging_in = asyncio.Lock()

    def keep(self, mail: Mail) -> None:
        """Put a copy there, soon; more than WAITING_BYTES at once are not kept."""
        if not self._name:
            return
        if self._bytes + len(mail.data) > WAITING_BYTES:
            log.warning("sent_copy_skipped", channel_id=self._channel_id, message_id=mail.message_id)
            return
        self._bytes += len(mail.data)
        self._waiting.put_nowait(mail)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name=f"sent-folder-{self._channel_id}")

    async def has(self, message_id: str) -> bool:
        """Tell whether the provider has put a mail there itself; False as well when nobody can tell in time."""
        if not self._name:
            return False
        with suppress(OSError):  # a time-out is one
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._found(message_id)
        return False

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Callable[[str], Awaitable[bool]]]:
        """Lend what tells whether a mail is there at this moment, by one login. It and this raise OSError."""
        if not self._name:
            yield _has_nothing
            return
        connection = await _in_time(self._opened())

        async def has(message_id: str) -> bool:
            return bool(await _in_time(connection.find(message_id)))

        try:
            yield has
        finally:
            connection.close()

    async def close(self) -> None:
        """Give what waits a moment to get there."""
        if self._worker is None or self._worker.done():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._waiting.join()
        self._worker.cancel()
        await asyncio.wait({self._worker})

    async def _found(self, message_id: str) -> bool:
        connection = await self._opened()
        try:
            while not await connection.find(message_id):  # noqa: ASYNC110 (the provider has no event for it)
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return True
        finally:
            connection.close()

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while mail := await self._next():
                connection = await self._kept(connection, mail)
                self._bytes -= len(mail.data)
                self._waiting.task_done()
        finally:
            if connection is not None:
                connection.close()

    async def _next(self) -> Mail | None:
        """Return the next mail, None when none came for a while."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                return await self._waiting.get()
        except TimeoutError:
            return None if self._waiting.empty() else self._waiting.get_nowait()

    async def _kept(self, connection: Connection | None, mail: Mail) -> Connection | None:
        """Put one copy there and return the connection to go on with."""
        for number in range(TRIES):
            try:
                connection = connection or await self._opened(creates=True)
                await self._put(connection, mail)
                return connection
            except OSError as error:
                if connection is not None:
                    connection.close()
                    connection = None
                problem = error
            if number < len(PAUSES_SECONDS):
                await asyncio.sleep(PAUSES_SECONDS[number])
        fields = {"channel_id": self._channel_id, "message_id": mail.message_id}
        log.warning("sent_copy_failed", reason=said(problem), **fields)
        return None

    async def _put(self, connection: Connection, mail: Mail) -> None:
        if not await connection.find(mail.message_id):
            await connection.append(self._name, mail.data)

    async def _opened(self, *, creates: bool = False) -> Connection:
        """Log in and open the folder; a look never makes one that is missing. Raises OSError."""
        connection = await self._logged_in()
        try:
            await self._selected(connection, creates=creates)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _selected(self, connection: Connection, *, creates: bool) -> None:
        try:
            await connection.select(self._name)
        except CommandRefused:
            if not creates:
                raise
            await connection.create(self._name)
            await connection.select(self._name)

    async def _logged_in(self) -> Connection:
        """Log in, one at a time: whoever waits learns of a refusal instead of asking for a second one."""
        async with self._logging_in:
            if self._refused is not None and time.monotonic() - self._refused[0] < REFUSED_PAUSE_SECONDS:
                raise LoginRefused(self._refused[1])
            connection = Connection(config.imap_server(self._settings), self._tokens)
            try:
                await connection.open()
            except LoginRefused as error:
                connection.close()
                self._refused = time.monotonic(), said(error)
                raise
            except BaseException:
                connection.close()
                raise
            self._refused = None
            return connection


async def _has_nothing(message_id: str) -> bool:
    return False


async def _in_time(answer: Awaitable[T]) -> T:
    """Raises OSError with words, also when the time is over."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await answer
    except TimeoutError:
        raise TimeoutError(f"no answer in {LOOK_SECONDS:.0f} s") from None
