"""Okno itself as a process of its own: exact settings, JSON log lines in a file, killed without mercy."""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.peers.process import PeerError, Process

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "services.cli")


class OknoProcess:
    """`okno ARGS`. Only the settings (OKNO_...) given here reach it; a failing test's report shows its output."""

    def __init__(
        self, args: Sequence[str], env: Mapping[str, str], *, name: str = "okno", command: Sequence[str] = COMMAND
    ) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("OKNO_")}
        settings = {**inherited, "PYTHONUNBUFFERED": "1", **env}
        self.process = Process(name, [*command, *args], env=settings, folder=ROOT)

    def start(self) -> None:
        self.process.start()

    def stop(self, timeout_seconds: float = 60) -> int | None:
        """Ask it to end (SIGTERM); its exit status."""
        return self.process.stop(timeout_seconds)

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> None:
        """End it, unless it has been killed, and start it again with the same arguments."""
        self.stop()
        self.start()

    def wait(self, timeout_seconds: float = 90) -> int | None:
        """Let a command that ends by itself do so; its exit status."""
        return self.process.wait(timeout_seconds)

    def wait_for_http(self, url: str, path: str = "/readyz", timeout_seconds: float = 90) -> None:
        """Return when url + path answers 200. Raises PeerError with the log when it ends or time runs out."""
        self.process.wait_until(lambda: _is_ready(url.rstrip("/") + path), timeout_seconds)

    def wait_for_line(self, text: str, timeout_seconds: float = 60) -> str:
        """The first line of output that contains the text."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            ended = not self.process.alive
            if found := [line for line in self.lines() if text in line]:
                return found[0]
            if ended or time.monotonic() > deadline:
                raise PeerError(f"{self.process.name} did not write {text!r}\n{self.process.tail()}")
            time.sleep(0.05)

    def lines(self) -> list[str]:
        return self.process.log.read_text(errors="replace").splitlines()

    def logged(self) -> list[dict[str, Any]]:
        """Its JSON log lines, oldest first; what it prints for people is not among them."""
        return [json.loads(line) for line in self.lines() if line.startswith("{")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False
