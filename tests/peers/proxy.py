"""A TCP proxy in front of a server: it delays, cuts, refuses, or holds everything back without closing (half-open)."""

import asyncio
from types import TracebackType
from typing import Self

from tests.peers.loop_thread import LoopThread
from tests.peers.process import free_port

CHUNK_BYTES = 65_536


class Proxy:
    """Passes everything on until told otherwise. The switches act on open connections too.

    delay_seconds: each chunk, in both directions, is that late.
    half_open: connections are accepted and stay open, nothing passes until it is switched off.
    refusing: new connections are closed at once.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1", port: int | None = None) -> None:
        self.target = (target_host, target_port)
        self.host, self.port = "127.0.0.1", port or free_port()
        self.delay_seconds = 0.0
        self.refusing = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._thread: LoopThread | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def half_open(self) -> bool:
        return not self._passing.is_set()

    @half_open.setter
    def half_open(self, on: bool) -> None:
        switch = self._passing.clear if on else self._passing.set
        if self._thread is None:
            switch()
        else:
            self._thread.loop.call_soon_threadsafe(switch)

    def start(self) -> None:
        self._thread = LoopThread("proxy")
        self._thread.run(self._listen())

    def cut(self) -> None:
        """Reset every open connection; new ones are passed on."""
        if self._thread is not None:
            self._thread.run(self._abort_all())

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.run(self._hang_up())
            self._thread.close()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward_writer}
        try:
            await asyncio.gather(self._pass(reader, onward_writer), self._pass(onward_reader, writer))
        finally:
            for each in (writer, onward_writer):
                each.transport.abort()
                self._writers.discard(each)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_seconds)
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._abort_all()
