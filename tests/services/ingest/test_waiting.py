"""Waiting with a limit: who waits too long is told so, who is cancelled from outside is not."""

from __future__ import annotations

import asyncio

import pytest

from services.ingest.waiting import Waiting


async def test_what_comes_in_time_is_returned() -> None:
    waiting = Waiting(60)
    assert await waiting.for_(asyncio.sleep(0, "done")) == "done"
    assert len(waiting) == 0


async def test_who_waits_too_long_gets_a_timeout_and_goes_on() -> None:
    waiting = Waiting(0.05, look_every_seconds=0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await waiting.for_(asyncio.Event().wait())
    assert len(waiting) == 0
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_of_two_only_the_overdue_one_is_ended() -> None:
    waiting = Waiting(0.3, look_every_seconds=0.01)
    old = asyncio.create_task(waiting.for_(asyncio.Event().wait()))
    await asyncio.sleep(0.2)
    young = asyncio.create_task(waiting.for_(asyncio.Event().wait()))
    with pytest.raises(TimeoutError):
        await old
    assert not young.done()
    young.cancel()
    await asyncio.wait([young])
    assert young.cancelled()


async def test_the_inner_of_two_limits_ends_only_the_inner_work() -> None:
    inner, outer = Waiting(0.05, look_every_seconds=0.01), Waiting(60)

    async def work() -> str:
        try:
            await inner.for_(asyncio.Event().wait())
        except TimeoutError:
            return "told"
        return "never"

    assert await outer.for_(work()) == "told"
