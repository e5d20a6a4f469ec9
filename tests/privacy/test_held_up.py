"""An erasure that comes upon an event which cannot be read waits, and only this one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from services.privacy import held_up
from services.privacy.erased_again import erase_again
from services.privacy.main import Privacy
from shared.clock import from_text
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.mapper import ChangedEvent
from shared.event_store.traces import read_traces
from shared.registry import erasures
from tests.audit.test_unreadable import column
from tests.privacy.town import Person, Town, settings_of, town


async def asked(made: Town, customer_id: UUID) -> UUID:
    request = partial(erasures.request, customer_id=customer_id, reason="asked for it", by="o")
    return await made.house.database.write(request)


async def spoil(made: Town, position: int, at: int) -> None:
    """Change a byte of what is stored of an event; twice is as it was."""

    def write(tx: Transaction) -> None:
        ((state,),) = tx.rows(f"SELECT state FROM stored_events WHERE {column(tx)} = ?", (position,))
        changed = bytearray(state)
        changed[at] ^= 1
        tx.run(f"UPDATE stored_events SET state = ? WHERE {column(tx)} = ?", (bytes(changed), position))

    await made.house.database.write(write)


async def shown(made: Town, id_: UUID) -> tuple[str, str]:
    found = await made.house.database.read(partial(erasures.one, id_=id_))
    assert found is not None
    return found.shown()["state"], found.shown()["problem"]


async def until_done(made: Town, privacy: Privacy, id_: UUID) -> None:
    async with asyncio.timeout(60):
        while (await shown(made, id_))[0] != "done":
            await privacy._attempt()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("of", [e.CustomerRegistered, e.MessageReceived])
async def test_an_erasure_waits_for_an_event_that_cannot_be_read_and_the_next_ones_do_not(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: type
) -> None:
    monkeypatch.setattr(held_up, "PAUSE", timedelta(0))
    async with town(settings_of(tmp_path / "data", url)) as made:
        for name in ("Pervova", "Vtorova"):
            await made.publish(made.item(Person(name), "email", "mail"))
        log = await made.log()
        first, second = (r.stream_id for r in log if isinstance(r.event, e.CustomerRegistered))
        position = next(r.position for r in log if isinstance(r.event, of))
        waiting, going = await asked(made, first), await asked(made, second)
        privacy = Privacy(made.stores())
        await spoil(made, position, -1)
        await until_done(made, privacy, going)
        held = await shown(made, waiting)
        assert held[0] == "recorded"
        assert held[1].startswith(f"the event at position {position} ({of.__name__}) cannot be read")
        await spoil(made, position, -1)
        await until_done(made, privacy, waiting)
        assert await shown(made, waiting) == ("done", "")


async def test_who_was_erased_is_known_to_be_also_when_something_else_of_theirs_cannot_be_read(
    url: str, tmp_path: Path
) -> None:
    """It is looked for each hour, and after a restore: to stop there would hold up everything."""
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(Person("Pervova"), "email", "mail"))
        (registered,) = [r for r in await made.log() if isinstance(r.event, e.CustomerRegistered)]
        await until_done(made, Privacy(made.stores()), await asked(made, registered.stream_id))
        await spoil(made, registered.position, 0)
        assert await made.house.database.write(partial(erase_again, erased=[registered.stream_id])) == 0


async def test_who_is_to_be_erased_again_is_asked_for_once(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(Person("Pervova"), "email", "mail"))
        (registered,) = [r for r in await made.log() if isinstance(r.event, e.CustomerRegistered)]
        job = partial(erase_again, erased=[registered.stream_id])
        assert [await made.house.database.write(job) for _ in range(2)] == [1, 0]


async def test_what_was_held_up_is_tried_again_a_while_later_and_each_step_for_itself(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    async def fail() -> bool:
        tries.append("failed")
        raise ChangedEvent("the event at position 7 cannot be read")

    async def work() -> bool:
        tries.append("worked")
        return True

    async with town(settings_of(tmp_path / "data", url)) as made:
        database = made.house.database
        await made.publish(made.item(Person("Pervova"), "email", "mail"))
        await asked(made, (await made.log())[0].stream_id)

        async def tried(step: str, do: Callable[[], Awaitable[bool]]) -> bool | None:
            (erasure,) = await database.read(erasures.unfinished)
            return await held_up.tried(database, erasure, step, do)

        assert [await tried("files", fail), await tried("files", work), await tried("forget", work)] == [
            None,
            None,
            True,
        ]
        monkeypatch.setattr(held_up, "now", lambda: from_text("2999-01-01T00:00:00Z"))
        assert await tried("files", work)
        assert tries == ["failed", "worked", "worked"]
        (erasure,) = await database.read(erasures.unfinished)
        assert (erasure.held_up, erasure.shown()["problem"]) == ({}, "")


async def test_an_event_whose_plain_part_is_damaged_is_named(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(Person("Pervova"), "email", "mail"))
        position = (await made.log())[0].position
        await spoil(made, position, 30)
        with pytest.raises(ChangedEvent, match=f"at position {position} "):
            await made.house.database.read(lambda tx: read_traces(tx, 0, 100))
        await spoil(made, position, 30)
