"""A bot goes from polling to a webhook and back while clients write: by one command, and each message is there once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from tests.benchmarks.telegram import Running, connected
from tests.peers.telegram import TelegramServer


def test_the_way_updates_come_is_changed_without_losing_any() -> None:
    with connected() as running:
        said = _say(running.telegram, 0)
        assert _change(running, "webhook")[1].startswith(f"Telegram posts updates to {running.url}/in/telegram/")
        said += _say(running.telegram, 10)
        _until(lambda: running.count() == len(said))
        assert running.telegram.bot.webhook.url
        said += _say(running.telegram, 20)
        assert _change(running, "polling")[1].startswith("Updates come by polling")
        said += _say(running.telegram, 30)
        _until(lambda: running.count() == len(said))
        assert not running.telegram.bot.webhook.url
        assert sorted(entry["text"] for entry in running.timeline()) == sorted(said)


def _say(telegram: TelegramServer, first: int) -> list[str]:
    texts = [f"message {number}" for number in range(first, first + 10)]
    for number, text in enumerate(texts, first):
        telegram.say(number % 3 + 1, number + 1, text)
    return texts


def _change(running: Running, mode: str) -> list[str]:
    command = [sys.executable, "-m", "services.cli", "channels", "change", "Bot", "--set", f"mode={mode}"]
    env = {**os.environ, "OKNO_DATA": str(running.database.parent), "OKNO_PUBLIC_URL": running.url}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.splitlines()


def _until(reached: Callable[[], bool], timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
