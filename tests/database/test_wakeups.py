"""Who listens is woken, in the order they came; who has gone costs nothing."""

from __future__ import annotations

import asyncio
import gc

from shared.database.wakeups import Wakeups


async def test_a_listener_nobody_has_is_forgotten() -> None:
    wakeups = Wakeups()
    kept = wakeups.listener("news")
    for _ in range(100):
        wakeups.listener("news")
    gc.collect()
    last = wakeups.listener("news")
    assert [each() for each in wakeups._listeners["news"]] == [kept, last]
    wakeups.wake(["news", "nobody listens to this"])
    assert [await kept.wait(5), await last.wait(5)] == [True, True]


async def test_a_listener_that_is_only_waited_on_is_kept() -> None:
    wakeups = Wakeups()
    waiting = wakeups.listener("news").wait(5)
    gc.collect()
    wakeups.wake_all()
    assert await waiting


async def test_listeners_are_woken_in_their_order() -> None:
    """The read models come before those who only follow the log."""
    wakeups = Wakeups()
    listeners, woken = [wakeups.listener("news") for _ in range(5)], []

    async def listen(number: int) -> None:
        assert await listeners[number].wait(5)
        woken.append(number)

    async with asyncio.TaskGroup() as group:
        for number in (4, 2, 0, 1, 3):
            group.create_task(listen(number))
        await asyncio.sleep(0)
        wakeups.wake(["news"])
    assert woken == [0, 1, 2, 3, 4]
