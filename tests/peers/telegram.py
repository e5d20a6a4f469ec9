"""A Bot API server inside the test process: it forgets only what is confirmed, and misbehaves when told to.

`python -m tests.peers.telegram` starts one for a person to play with.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.peers.loop_thread import LoopThread
from tests.peers.process import PeerError, free_port
from tests.peers.telegram_api.bot import Bot, Json, message
from tests.peers.telegram_api.faults import Faults
from tests.peers.telegram_api.http import Api, Called

TOKEN = "4242424242:AAG-test_token_of_a_bot_that_is_not_real"
T = TypeVar("T")


class TelegramServer:
    """`url` is the api_url of a channel; `bot` is the bot with the first token."""

    def __init__(self, *tokens: str) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self.api = Api(list(tokens) or [TOKEN])
        self._thread: LoopThread | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def bot(self) -> Bot:
        return next(iter(self.api.bots.values()))

    @property
    def faults(self) -> Faults:
        return self.api.faults

    @property
    def violations(self) -> list[str]:
        """Calls the spec does not allow, of all bots; and answers of the peer that it does not allow."""
        return [each for bot in self.api.bots.values() for each in bot.violations]

    def calls(self, method: str) -> list[Called]:
        return [call for call in self.api.calls if call.method == method]

    def start(self) -> None:
        self._thread = LoopThread("telegram")
        self._thread.run(self._listen())

    def stop(self) -> None:
        """Nothing listens any more; what the bots know stays."""
        if self._thread is not None and self._runner is not None:
            self._thread.run(self._runner.cleanup())
            self._thread.close()
            self._thread = self._runner = None

    def push(self, kind: str, body: Json, *, checked: bool = True) -> int:
        """Give the bot an update; its id."""
        return self.do(lambda: self.bot.push(kind, body, checked=checked))

    def say(self, chat_id: int, message_id: int, text: str, **more: Any) -> int:
        """Let the user `chat_id` write a message to the bot; the update's id."""
        return self.push("message", message(chat_id, message_id, text, **more))

    def do(self, work: Callable[[], T]) -> T:
        """Do something in the server's loop, between two requests."""

        async def once() -> T:
            return work()

        return self._run(once())

    async def until(self, reached: Callable[[], bool], timeout_seconds: float = 60) -> None:
        """Return as soon as it is so. Raises PeerError when time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not reached():
            if time.monotonic() > deadline:
                raise PeerError(f"not reached within {timeout_seconds} s; calls: {self.api.calls[-5:]}")
            await asyncio.sleep(0.01)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        if self._thread is not None:
            return self._thread.run(work)
        return asyncio.run(work)

    async def _listen(self) -> None:
        self._runner = web.AppRunner(self.api.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()


HELP = """\
A Telegram of your own at {url}
connect it:   okno channels add telegram Bot --set token={token} --set api_url={url}
write here:   a line is a message of user 1 to the bot;  "7: text" is one of user 7
              /block 7   /flood 7 5   /409   /502   /cut   /restart 1000   /sent   /quit"""


def main() -> None:
    """Show what the bot says, and say what a person types."""
    options = argparse.ArgumentParser(prog="python -m tests.peers.telegram")
    options.add_argument("--port", type=int, default=8081)
    options.add_argument("--token", default=TOKEN)
    given = options.parse_args()
    server = TelegramServer(given.token)
    server.port = given.port
    with server, contextlib.suppress(EOFError, KeyboardInterrupt):
        print(HELP.format(url=server.url, token=given.token), flush=True)
        shown, number = 0, 0
        while (line := input("> ").strip()) != "/quit":
            number += 1
            _obey(server, line, number)
            time.sleep(0.3)
            for each in server.bot.sent[shown:]:
                print(f"bot to {each['chat']['id']}: {each.get('text') or each.get('caption') or list(each)}")
            shown = len(server.bot.sent)


def _obey(server: TelegramServer, line: str, number: int) -> None:
    match line.split():
        case ["/block", chat]:
            text = "Forbidden: bot was blocked by the user"
            server.faults.answer(403, text, chat_id=int(chat), times=10**6)
        case ["/flood", chat, seconds]:
            server.faults.flood(int(chat), float(seconds))
        case ["/409"]:
            server.faults.answer(409, "Conflict: terminated by other getUpdates request", method="getUpdates")
        case ["/502"]:
            server.faults.bad_gateway()
        case ["/cut"]:
            server.faults.cut()
        case ["/restart", first]:
            server.do(lambda: server.bot.restart_ids(int(first)))
        case [] | ["/sent"]:
            return
        case _:
            who, _, text = line.rpartition(": ") if line.partition(": ")[0].isdigit() else ("1", "", line)
            server.say(int(who), 1_000_000 + number, text)


if __name__ == "__main__":
    main()
