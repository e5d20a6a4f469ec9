"""A child process for work that needs a core of its own: it takes messages and gives messages, through its two pipes.

What it is given stands in no file, no argument and no environment. It is nicer than its parent, and ends with it.
"""

from __future__ import annotations

import contextlib
import importlib
import marshal
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from shared.said import said_with_kind

NICE = 5
LOOK_SECONDS = 0.1
_FRAME = struct.Struct(">cI")
_LARGE = 64 * 1024
_BYTES, _MARSHALLED, _PICKLED, _RAISED, _ENDED, _GONE = b"b", b"m", b"p", b"e", b".", b""
_COMMAND = (sys.executable, "-P", "-c", "from shared.apart import serve; serve()")
_ROOT = str(Path(__file__).resolve().parent.parent)


AHEAD_MESSAGES = 4
"""That nobody has received yet; then the child waits: they may be large."""


class ChildEnded(Exception):
    """The child process ended before its work was done; the text says how."""


class Parent(Protocol):
    """What a job sees of whoever began it. A job is a module's function that takes this and what it was given."""

    def send(self, message: object) -> None:
        """Hand something over."""

    def receive(self) -> Any:
        """Return what was sent next."""


class Child:
    """Begun by `child`; used by one thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._came: queue.Queue[tuple[bytes, bytes]] = queue.Queue(AHEAD_MESSAGES)
        self._reading = threading.Thread(target=self._read, name="okno-child", daemon=True)
        self._reading.start()

    def send(self, message: object) -> None:
        """Raises ChildEnded when nobody is there any more, or what the job raised."""
        assert self.process.stdin is not None
        try:
            _write(self.process.stdin, *_packed(message))
        except BrokenPipeError:
            while True:
                self.receive()

    def receive(self, goes_on: Callable[[], None] = lambda: None) -> Any:
        """Return what the job sends next; `goes_on` is called now and then and may raise.

        Raises what the job raised, ChildEnded when it is over.
        """
        while True:
            goes_on()
            try:
                kind, payload = self._came.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            return self._unpacked(kind, payload)

    def has_something(self) -> bool:
        """Whether `receive` would return or raise at once."""
        return not self._came.empty()

    def end(self) -> None:
        """Stop it, wherever it is."""
        self.process.kill()
        self.process.wait()
        while self._reading.is_alive():  # it may want to hand over more than anybody receives now
            with contextlib.suppress(queue.Empty):
                self._came.get(timeout=0.01)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _read(self) -> None:
        """The pipe holds little: what is in it is taken out while the parent works, so that the child goes on."""
        assert self.process.stdout is not None
        while frame := _read_frame(self.process.stdout):
            self._came.put(frame)
        self._came.put((_GONE, b""))

    def _unpacked(self, kind: bytes, payload: bytes) -> Any:
        match kind:
            case b"e":
                raise pickle.loads(payload)  # noqa: S301 (what our own child has sent)
            case b".":
                raise ChildEnded("the child process has no more")
            case b"":
                self._came.put((_GONE, b""))
                raise ChildEnded(f"the child process ended {_how(self.process.wait())}")
        return _loaded(kind, payload)


@contextmanager
def child(job: str, *given: object) -> Iterator[Child]:
    """Run `module:function` in a process of its own until it returns or the block ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))}
    process = subprocess.Popen(  # noqa: S603 (a fixed command)
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    begun = Child(process)
    try:
        begun.send((job, *given))
        yield begun
    finally:
        begun.end()


class _Parent:
    def __init__(self, out: IO[bytes], came: IO[bytes]) -> None:
        self._out, self._came = out, came

    def send(self, message: object) -> None:
        _write(self._out, *_packed(message))

    def receive(self) -> Any:
        frame = _read_frame(self._came)
        if frame is None:
            raise BrokenPipeError
        return _loaded(*frame)

    def tell(self, error: Exception) -> None:
        _write(self._out, _RAISED, _as_sent(error))

    def end(self) -> None:
        _write(self._out, _ENDED, b"")


def serve() -> None:
    """The child's side: do the job it is given. What it prints goes to stderr: stdout is the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both: the parent ends the child
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    parent = _Parent(out, os.fdopen(0, "rb"))
    try:
        job, *given = parent.receive()
        module, _, function = job.partition(":")
        try:
            getattr(importlib.import_module(module), function)(parent, *given)
        except BrokenPipeError:
            raise
        except Exception as error:  # told to the parent, where it is raised
            parent.tell(error)
        else:
            parent.end()
        while True:
            parent.receive()  # what was sent meanwhile, until the parent ends this process
    except BrokenPipeError:
        os._exit(1)  # nobody is there who would want the rest; threads of databases need not be waited for


def cores() -> int:
    """Return how many processors this process may use: with one, a child wins nothing."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit status {code}"


def _packed(message: Any) -> tuple[bytes, bytes]:
    """Bytes go as they are, plain rows and numbers the fast way."""
    if type(message) is bytes:
        return _BYTES, message
    try:
        return _MARSHALLED, marshal.dumps(message)
    except ValueError:
        return _PICKLED, pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def _loaded(kind: bytes, payload: bytes) -> Any:
    """The two ends of our own pipes trust each other."""
    if kind == _BYTES:
        return payload
    return marshal.loads(payload) if kind == _MARSHALLED else pickle.loads(payload)  # noqa: S301, S302


def _as_sent(error: Exception) -> bytes:
    """What cannot be made again on the other side is told as a text."""
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)  # noqa: S301
    except Exception:  # whatever a class of somebody else's does when it is copied
        return pickle.dumps(ChildEnded(said_with_kind(error)))
    return sent


def _write(pipe: IO[bytes], kind: bytes, payload: bytes) -> None:
    """What is large is not copied only to stand behind its head."""
    head = _FRAME.pack(kind, len(payload))
    for part in [head + payload] if len(payload) < _LARGE else [head, payload]:
        view = memoryview(part)
        while view:
            view = view[pipe.write(view) :]
    pipe.flush()


def _read_frame(pipe: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Return the next frame, None at the end, also in the middle of one."""
    head = pipe.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    kind, length = _FRAME.unpack(head)
    payload = pipe.read(length)
    return (kind, payload) if len(payload) == length else None
