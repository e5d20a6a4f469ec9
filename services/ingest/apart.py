"""Parses in child processes: what hangs is killed at the limit, whatever language it hangs in.

Children start when first needed, are reused, and end with this process (their stdin closes).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import msgspec

from services.ingest.apart_child import LENGTH_BYTES, Answer, Request
from shared.connector import Channel
from shared.parsed import Parsed, RawItem, UnreadableItem

START_SECONDS = 30.0
"""A child that has not started by then never will; its start does not count as parsing."""
_PIPE_BYTES = 1024 * 1024
CHILDREN = 2
"""At most so many items are parsed apart at once; the others wait."""
Parse = Callable[[RawItem, Channel], Parsed]


class ParserDied(Exception):
    """The child ended while it parsed: out of memory, a crash in C code."""


class BugInParser(Exception):
    """`parse` raised something it must not; the text names it."""


class Apart:
    """A few children; safe for use from any thread and event loop."""

    def __init__(self, children: int = CHILDREN) -> None:
        self._free = threading.BoundedSemaphore(children)
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False
        atexit.register(self.close)

    async def parse(self, parse: Parse, item: RawItem, channel: Channel, seconds: float) -> Parsed:
        """Return what `parse`, a function of a module, says. Raises UnreadableItem, BugInParser, ParserDied and
        TimeoutError; the time it waits for a free child does not count."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def resolve(answer: Answer | None, error: BaseException | None) -> None:
            if not future.done():
                future.set_exception(error) if error else future.set_result(answer)  # type: ignore[arg-type]

        def work() -> None:
            answer, failed = None, None
            try:
                answer = self._ask(Request(_name(parse), item, channel, seconds))
            except BaseException as error:  # handed to whoever waits
                failed = error
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, answer, failed)

        threading.Thread(target=work, name="okno-parse", daemon=True).start()
        answer = await future
        if answer.parsed is not None:
            return answer.parsed
        raise BugInParser(answer.bug) if answer.bug else UnreadableItem(answer.unreadable)

    def pids(self) -> list[int]:
        """Return the children that wait for work."""
        with self._lock:
            return [child.pid for child in self._idle]

    def close(self) -> None:
        """End the children that wait; one that is busy ends when its work is done or its time over."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for child in idle:
            child.kill()

    def _ask(self, request: Request) -> Answer:
        with self._free:
            child = self._take(request.parse.partition(":")[0])
            try:
                answer = child.ask(request)
            except BaseException:
                child.kill()
                raise
            self._give_back(child, is_last=answer.is_last)
            return answer

    def _take(self, module: str) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.kill()
        return _Child(module)

    def _give_back(self, child: _Child, *, is_last: bool) -> None:
        with self._lock:
            if not is_last and not self._closed:
                self._idle.append(child)
                return
        child.kill()


class _Child:
    """One process and its two pipes."""

    def __init__(self, module: str) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "services.ingest.apart_child", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            bufsize=0,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._has_started = False
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        self.pid = self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Request) -> Answer:
        """Raises TimeoutError, ParserDied."""
        data = msgspec.msgpack.encode(request)
        if not self._has_started:
            self._message(time.monotonic() + START_SECONDS)
            self._has_started = True
        deadline = time.monotonic() + request.seconds
        self._write(len(data).to_bytes(LENGTH_BYTES, "big") + data, deadline)
        return msgspec.msgpack.decode(self._message(deadline), type=Answer)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _message(self, deadline: float) -> bytes:
        length = int.from_bytes(self._read(LENGTH_BYTES, deadline), "big")
        return self._read(length, deadline)

    def _read(self, length: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            _wait([self._stdout], [], deadline)
            piece = os.read(self._stdout, min(length - len(data), _PIPE_BYTES))
            if not piece:
                raise ParserDied
            data += piece
        return bytes(data)

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait([], [self._stdin], deadline)
            try:
                view = view[os.write(self._stdin, view[:_PIPE_BYTES]) :]
            except BrokenPipeError:
                raise ParserDied from None


def _wait(readable: list[int], writable: list[int], deadline: float) -> None:
    """Return once the pipe is ready. Raises TimeoutError."""
    poll = select.poll()
    for pipe in readable:
        poll.register(pipe, select.POLLIN)
    for pipe in writable:
        poll.register(pipe, select.POLLOUT)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _name(parse: Parse) -> str:
    """Return `module:function`. Raises TypeError for a function no other process could find."""
    module, name = parse.__module__, parse.__qualname__
    if not name.isidentifier():
        raise TypeError(f"{module}.{name} is no function of a module: it cannot be called in another process")
    return f"{module}:{name}"
