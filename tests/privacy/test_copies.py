"""A mail that came several times is one message: what only its copies have goes and stays with it."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.privacy import found, items
from services.privacy.found import Found
from shared.clock import now
from shared.contracts.inbound import Raw
from shared.database.protocol import Transaction
from shared.event_store.traces import Trace
from tests.privacy.test_erasure import erase
from tests.privacy.town import Person, Town, settings_of, town

AS_SAID = uuid4()


async def came_thrice(made: Town, who: Person) -> list[tuple[UUID, str]]:
    """Return the ids of a mail and its two copies, and the files that have their raw bytes."""
    came = []
    for alias in ("support", "sales", "info"):
        sha256 = await made.house.blobs.put(f"Delivered-To: {alias}\r\n{who.say('mail')}".encode())
        item = made.item(who, "email", alias, same_as=(AS_SAID,), raw=Raw(sha256, 99, "message/rfc822", None))
        await made.publish(item)
        came.append((item.id, sha256))
    return came


async def test_the_raw_bytes_of_copies_go_with_their_message(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path, url)) as made:
        came = await came_thrice(made, Person("Trizhdy"))
        ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        assert [await made.house.blobs.get(sha256) for _, sha256 in came]
        erased = await erase(made, UUID(customer))
        assert len(erased.details["files"]) == 3
        for _, sha256 in came:
            with pytest.raises(FileNotFoundError):
                await made.house.blobs.get(sha256)
        assert await made.house.database.read(lambda tx: tx.rows("SELECT * FROM routing_copy_files")) == []


async def test_retention_knows_the_copies_of_what_it_takes(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path, url)) as made:
        came = await came_thrice(made, Person("Staraya"))
        channel = made.item(Person("Staraya"), "email", "").channel_id
        end = await asyncio.to_thread(found.log_head, made.house.database)
        old = await asyncio.to_thread(found.of_channel, made.house.database, channel, now(), set(), end)
        ids = await asyncio.to_thread(items.ids_of, made.house.database, old, ())
        assert {str(id_) for id_, _ in came} <= ids


async def test_copies_of_a_message_that_was_moved_away_stay_with_it(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path, url)) as made:
        came = await came_thrice(made, Person("Chuzhaya"))
        first = str(came[0][0])
        ((conversation,),) = await made.house.database.read(partial(_conversation_of, first))
        moved = Found(moved_out=[_moved(UUID(first))])
        ids = await asyncio.to_thread(items.ids_of, made.house.database, moved, (UUID(conversation),))
        assert ids.isdisjoint({str(AS_SAID), *(str(id_) for id_, _ in came)})


def _conversation_of(item_id: str, tx: Transaction) -> list[tuple[str]]:
    return tx.rows("SELECT conversation_id FROM routing_seen WHERE id = ?", (item_id,))


def _moved(cause: UUID) -> Trace:
    known = dict.fromkeys(field.name for field in fields(Trace))
    return Trace(**{**known, "position": 1, "owner": uuid4(), "type": "MessageReceived", "cause": cause})
