"""uvicorn's HTTP with what it lacks: bounds for a request's head, a pace for its body, problems for what is no HTTP.

Without them whoever reaches the port could fill memory with one header that never ends, or keep a request for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.problems import problem

HEAD_BYTES = 256 * 1024
"""More than any browser or provider sends, cookies and all."""
HEAD_SECONDS = 60.0
BODY_SECONDS = 60.0
BODY_BYTES = 30_000
"""What of a body has to come in each BODY_SECONDS in which we read: Apache's least pace, 500 bytes a second."""


class BoundedHttp(HttpToolsProtocol):
    """Counts what has come since the last head, piece of a body or end of a request: trailers count like heads."""

    _unfinished = 0
    _late: asyncio.TimerHandle | None = None
    _is_in_body = False
    _came = 0
    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._progress()
        self._end_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        if self._is_in_body and self._slow is None and not self.transport.is_closing():
            self._watch_body()
        if not self._unfinished or self.transport.is_closing():
            return
        if self._unfinished > HEAD_BYTES:
            self._refuse(431, f"the head of a request may have {HEAD_BYTES} bytes")
        elif self._late is None and not self._is_in_body:
            self._expect()

    def on_headers_complete(self) -> None:
        self._progress()
        super().on_headers_complete()
        self._is_in_body = True

    def on_body(self, body: bytes) -> None:
        self._progress()
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._progress()
        self._end_body()
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

    def _watch_body(self) -> None:
        self._came = 0
        self._slow = self.loop.call_later(BODY_SECONDS, self._judge_pace, self._may_come)

    def _judge_pace(self, might_come: bool) -> None:
        """Nobody is slow who waited for us, at the beginning of the stretch or at its end."""
        if self._came >= BODY_BYTES or not (might_come and self._may_come):
            self._watch_body()
        else:
            self._refuse(408, "the body of the request did not come in time")

    @property
    def _may_come(self) -> bool:
        return not self.flow.read_paused and not cast("Any", self.cycle).waiting_for_100_continue

    def _end_body(self) -> None:
        self._is_in_body = False
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless another answer is under way, and leave; a whole request before it has its own answer first."""
        is_next = not self._is_in_body
        self._progress()
        self._end_body()
        cycle = cast("Any", self.cycle)
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False  # uvicorn closes the connection behind that answer
            self.transport.pause_reading()
            return
        if cycle is None or not cycle.response_started or (cycle.response_complete and is_next):
            answer = problem(status, detail=detail, headers={"Connection": "close"})
            lines = [b"HTTP/1.1 %d \r\n" % status, *(b"%b: %b\r\n" % header for header in answer.raw_headers)]
            self.transport.write(b"".join([*lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()
