"""What an earlier version recorded in plain words is sealed, told as before, and goes with an erasure as all else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import pytest

from services.doctor import look_over
from services.privacy import seal_old as old
from services.privacy.seal_old import Sealed, seal_old
from services.projector.rebuild import Wanted, rebuild
from shared.blobs import Blobs
from shared.contracts.inbound import FileRef
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.event_store.chain_verify import verify
from shared.event_store.log_rows import Stored
from shared.event_store.traces import read_traces
from tests.privacy.planted import found_in
from tests.privacy.test_erasure import erase
from tests.privacy.test_resealed import customer_of, linked
from tests.privacy.town import OLGA, Person, Town, settings_of, town
from tests.privacy.wiped import watched


async def warned(made: Town) -> bool:
    found = [each async for each in look_over(made.house) if each.check == "keys"]
    return any("okno keys seal-old" in each.found for each in found)


async def test_what_is_older_than_keys_is_sealed_and_tells_the_same(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Davnyaya"), Person("Teperyashniy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        blobs, data = made.house.blobs, f"enclosed {anna.say('enclosure')} ".encode() * 5000
        sha256 = hashlib.sha256(data).hexdigest()
        plain = blobs.folder / sha256[:2] / sha256
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(data)
        made.house.database.keys, keys = None, made.house.database.keys
        file = FileRef(sha256, len(data), anna.say("file.pdf"), "application/pdf")
        await made.publish(made.item(anna, "email", "plain", files=(file,)))
        made.house.database.keys = keys
        await made.publish(made.item(boris, "email", "sealed"))
        await linked(made)
        before, log, mail = await made.timeline(await customer_of(made, anna)), await made.log(), anna.say("plain")
        assert await warned(made)

        done = await seal_old(made.house.database, made.house.keys, blobs)

        assert done == Sealed(3, 1, 1)
        assert not await warned(made)
        assert await seal_old(made.house.database, made.house.keys, blobs) == Sealed()
        assert (await made.timeline(await customer_of(made, anna)), await made.log()) == (before, log)
        assert (await blobs.get(sha256), plain.exists()) == (data, False)
        await linked(made)
        assert (await verify(made.house.database)).difference is None
        assert all(result.equal for result in await rebuild(made.house.database, Wanted(switch=False)))
        mails = [t for t in await made.house.database.read(lambda tx: read_traces(tx, 0, 100)) if t.conversation_id]
        assert {t.channel_id for t in mails if t.key} == {made.channels["email"].id}  # so that retention finds them
        await erase(made, await customer_of(made, anna))
        assert mail not in str(await made.log())
    assert found_in([tmp_path / "data"], anna.texts.values()) == {}


async def test_what_somebody_else_has_sealed_meanwhile_is_not_sealed_from_its_plain_words(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = Person("Davnyaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        database = made.house.database
        database.keys, keys = None, database.keys
        await made.publish(made.item(anna, "email", "plain"))
        database.keys = keys
        before, read_stored = await made.log(), old.read_stored

        def first_read(tx: Transaction, after: int, limit: int) -> list[Stored]:
            monkeypatch.setattr(old, "read_stored", read_stored)
            stored = read_stored(tx, after, limit)
            somebody_else = Thread(target=old._batch, args=(database, keys, after, Sealed()))
            somebody_else.start()
            somebody_else.join()
            return stored

        monkeypatch.setattr(old, "read_stored", first_read)
        assert (await seal_old(database, keys, made.house.blobs)).events == 0
        assert await made.log() == before


async def test_notes_and_steps_that_are_older_than_keys_are_told_and_sealed_too(url: str, tmp_path: Path) -> None:
    anna = Person("Zametkina")
    async with town(settings_of(tmp_path / "data", url)) as made:
        database = made.house.database
        await made.publish(made.item(anna, "email", "sealed"))
        assert not await warned(made)
        ((conversation,),) = await database.read(lambda tx: tx.rows("SELECT id FROM conversations"))
        database.keys, keys = None, database.keys
        await made.house.store.handle(UUID(conversation), c.AddNote(uuid4(), anna.say("note")), OLGA)
        await made.house.store.handle(UUID(conversation), c.Close(), OLGA)
        database.keys = keys
        assert await warned(made)
        assert (await seal_old(database, keys, made.house.blobs)).events == 1
        assert not await warned(made)


async def test_a_run_after_one_that_was_stopped_clears_the_files_too(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        stores, wiped = watched(made.stores())
        assert await seal_old(stores.database, made.house.keys, made.house.blobs) == Sealed()
        assert wiped == [("raw_items",)]


async def test_a_plain_file_that_begins_as_a_sealed_one_does_is_sealed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", b"secret")
    data = b"oknoblb1" + b"and what somebody wrote" * 5000
    sha256, other = hashlib.sha256(data).hexdigest(), await blobs.put(b"sealed already" * 9000)
    plain = blobs.folder / sha256[:2] / sha256
    plain.parent.mkdir(parents=True, exist_ok=True)
    plain.write_bytes(data)
    assert (old._files(blobs), old._files(blobs), plain.exists()) == (1, 0, False)
    assert (await blobs.get(sha256), await blobs.get(other)) == (data, b"sealed already" * 9000)
