"""uvicorn's HTTP with what it lacks: a bound and a time for the head of a request, a problem answer to what is no HTTP.

Without them whoever reaches the port could fill memory with one header that never ends.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.problems import problem

HEAD_BYTES = 256 * 1024
"""More than any browser or provider sends, cookies and all."""
HEAD_SECONDS = 60.0


class BoundedHttp(HttpToolsProtocol):
    """Counts what has come since the last head, piece of a body or end of a request: trailers count like heads."""

    _unfinished = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._progress()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        if not self._unfinished or self.transport.is_closing():
            return
        if self._unfinished > HEAD_BYTES:
            self._refuse(431, f"the head of a request may have {HEAD_BYTES} bytes")
        elif self._late is None:
            self._expect()

    def on_headers_complete(self) -> None:
        self._progress()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progress()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._progress()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _expect(self) -> None:
        late = "the head of the request did not come in time"
        self._late = self.loop.call_later(HEAD_SECONDS, self._refuse, 408, late)

    def _progress(self) -> None:
        self._unfinished = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless another answer is under way, and leave; a whole request before it has its own answer first."""
        self._progress()
        cycle = cast("Any", self.cycle)
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False  # uvicorn closes the connection behind that answer
            self.transport.pause_reading()
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            answer = problem(status, detail=detail, headers={"Connection": "close"})
            lines = [b"HTTP/1.1 %d \r\n" % status, *(b"%b: %b\r\n" % header for header in answer.raw_headers)]
            self.transport.write(b"".join([*lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()
