"""One child process of a test: its output goes to a log file, and it and its children are ended by their ids only."""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.peers.account import Account
from tests.peers.reaper import guard, release

CACHE = Path(__file__).parent / ".cache"
LOGS = CACHE / "logs" / str(os.getpid())
# Below the range of outgoing connections, so that a stopped server finds its port free again.
# Processes that share the tests take each its own numbers: between looking and binding nobody else may take one.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PORTS = range(20_000, 32_000)[_WORKER::_WORKERS]
# A container often has 64 MB there; PostgreSQL takes 64 to 200 MB for each process of the tests.
DISK, MEMORY, PLENTY = Path("/tmp"), Path("/dev/shm"), 2 * 1024**3
_given: deque[int] = deque(maxlen=300)
_live: list["Process"] = []


class PeerError(Exception):
    """A peer is missing, does not start or ends by itself; the text says what to do or shows its log."""


class Process:
    """A command that can be started, ended, killed, paused and started again; each start goes on in the same log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
        folder: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.command = name, list(command)
        self._env, self._account, self._folder, self._stop_signal = env, account, folder, stop_signal
        self._child: subprocess.Popen[bytes] | None = None
        LOGS.mkdir(parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=LOGS)
        os.close(descriptor)
        self.log = Path(path)

    @property
    def pid(self) -> int:
        if self._child is None:
            raise PeerError(f"{self.name} is not running")
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs, and before the first start; negative when a signal ended it."""
        return None if self._child is None else self._child.poll()

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        if self.alive:
            raise PeerError(f"{self.name} already runs")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._folder,
                start_new_session=True,
                **(self._account.popen_options() if self._account else {}),
            )
        _live.append(self)
        guard(self._child.pid)

    def stop(self, timeout_seconds: float = 60) -> int | None:
        """Ask it to end; its exit status. Kills it and raises PeerError when it does not."""
        if not self.alive:
            return self._forget()
        self.resume()
        os.kill(self.pid, self._stop_signal)
        try:
            self._reap(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PeerError(f"{self.name} did not end in {timeout_seconds} s\n{self.tail()}") from None
        return self._forget()

    def wait(self, timeout_seconds: float) -> int | None:
        """Let it end by itself; its exit status. Raises PeerError with the log when time runs out."""
        try:
            self._reap(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name} still runs after {timeout_seconds} s\n{self.tail()}") from None
        return self._forget()

    def kill(self) -> None:
        """End it and its children with SIGKILL: nothing of it can tidy up. Returns when all are gone."""
        if self.alive:
            family = _family(self.pid)
            for pid in family:
                _signal(pid, signal.SIGKILL)
            self._reap(10)
            while any(_runs(pid) for pid in family):
                time.sleep(0.005)
        self._forget()

    def pause(self) -> None:
        """Returns when every thread stands still: the one that takes the signal tells the others when it has a core."""
        family = _family(self.pid)
        for pid in family:
            _signal(pid, signal.SIGSTOP)
        while any(_goes_on(pid) for pid in family):
            time.sleep(0.001)

    def resume(self) -> None:
        for pid in _family(self.pid):
            _signal(pid, signal.SIGCONT)

    def tail(self, lines: int = 40, after_bytes: int = 0) -> str:
        """The log's name and its last lines, of what was written after so many bytes."""
        written = self.log.read_bytes()[after_bytes:].decode(errors="replace")
        return "\n".join([f"--- {self.log}", *written.splitlines()[-lines:]])

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float = 60) -> None:
        """Ask `ready` until it says yes. Raises PeerError with the log when the process ends first or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.alive:
                raise PeerError(f"{self.name} ended with status {self.exit_status}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise PeerError(f"{self.name} is not ready after {timeout_seconds} s\n{self.tail()}")
            time.sleep(0.05)

    def _reap(self, timeout_seconds: float) -> None:
        if self._child is not None:
            self._child.wait(timeout_seconds)

    def _forget(self) -> int | None:
        if self in _live:
            _live.remove(self)
            release(self.pid)
        return self.exit_status


def live_processes() -> Sequence[Process]:
    return tuple(_live)


def free_port() -> int:
    """A loopback port nothing listens on, and that was not given lately: who got it may not listen yet."""
    for port in random.sample(PORTS, 400):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.append(port)
            return port
    raise PeerError("no free loopback port")


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def make_folder(name: str, owner: Account | None = None, under: Path = DISK) -> Path:
    """A new temporary folder with a short path (a unix socket's path holds 107 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix=f"okno-{name}-{os.getpid()}-", dir=under))
    if owner is not None:
        owner.own(folder)
    return folder


def fastest() -> Path:
    """Where a server may keep what need not outlive the machine: in memory, where there is plenty of it."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= PLENTY else DISK


def remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def free_memory() -> None:
    """Remove what tests that were killed have left in memory."""
    for folder in MEMORY.glob("okno-*-*-*"):
        if not Path(f"/proc/{folder.name.split('-')[-2]}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _family(pid: int) -> list[int]:
    """The process and all below it, parents first."""
    found, todo = [pid], [pid]
    while todo:
        parent = todo.pop()
        born = [child for children in _listed(Path(f"/proc/{parent}/task")) for child in _born(children / "children")]
        found += born
        todo += born
    return found


def _listed(folder: Path) -> list[Path]:
    """What is in a folder; nothing when the process has ended meanwhile."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _born(children: Path) -> list[int]:
    try:
        return [int(child) for child in children.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _runs(pid: int) -> bool:
    """False for a process that is gone, or dead and only waits for its parent to notice."""
    return _state(Path(f"/proc/{pid}")) not in ("", "Z")


def _goes_on(pid: int) -> bool:
    """False when all threads of a process are stopped, or it is gone."""
    return any(_state(thread) not in ("", "Z", "T") for thread in _listed(Path(f"/proc/{pid}/task")))


def _state(folder: Path) -> str:
    """The letter for what a process or thread is at (proc_pid_stat(5)); nothing for one that is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@atexit.register
def _end_all() -> None:
    for process in tuple(_live):
        process.kill()
