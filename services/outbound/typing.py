"""Shows clients that an operator is writing, where a channel can. Nothing depends on it: a failure is only told."""

from __future__ import annotations

import asyncio
from typing import Any

from services.outbound.senders import Senders
from shared.connector import SendError
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.registry.typing import FRESH, Typing, Writing
from shared.said import said

IDLE_SECONDS = 60.0
QUICK_SECONDS = 0.25
"""On SQLite every commit of the file wakes us."""
log = Log("outbound")


class ShowTyping:
    """Runs until cancelled."""

    def __init__(self, typing: Typing, senders: Senders) -> None:
        self._typing, self._senders = typing, senders

    async def run(self) -> None:
        listener = self._typing.listen()
        while True:
            await listener.wait(IDLE_SECONDS)
            try:
                waiting = await self._typing.take()
            except DatabaseUnavailable as error:
                log.warning("typing_not_shown", reason=said(error))
                waiting = []
            await asyncio.gather(*map(self._show, waiting))
            await asyncio.sleep(QUICK_SECONDS)

    async def _show(self, writing: Writing) -> None:
        kind = self._senders.kind(writing.channel_id)
        if kind is None or not kind.capabilities.typing:
            return
        try:
            async with asyncio.timeout(FRESH.total_seconds()), self._senders.use(writing.channel_id) as sender:
                shows: Any = sender
                await shows.typing(writing.thread_key)
        except (SendError, LookupError, TimeoutError) as error:
            log.info("typing_not_shown", channel_id=writing.channel_id, reason=str(error) or "no answer in time")
        except Exception as error:  # a sender that cannot be opened tells so when something is to be sent
            log.error("typing_failed", error, channel_id=writing.channel_id)
