"""An event loop in a thread of its own: servers inside the test process keep answering while the test waits."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class LoopThread:
    def __init__(self, name: str) -> None:
        self.loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[object, object, T], timeout_seconds: float = 30) -> T:
        """Do the work in the loop and hand back what it returns; called from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_seconds)

    def close(self) -> None:
        """End every task and the thread."""
        self.run(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
