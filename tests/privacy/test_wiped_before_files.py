"""A file may wait for hours until it may go; the words of whoever is erased do not lie in the database so long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from services.commands.erase import _files_left
from services.privacy.job import carry_out
from services.privacy.stores import Stores
from shared.registry import erasures
from tests.privacy.planted import found_in
from tests.privacy.test_erasure import everything
from tests.privacy.town import Person, Town, settings_of, town


async def asked(made: Town) -> UUID:
    ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
    job = partial(erasures.request, customer_id=UUID(customer), reason="", by="o")
    return await made.house.database.write(job)


async def looked_at_once(made: Town, stores: Stores, id_: UUID) -> erasures.Erasure:
    """Carry an erasure out until its files have been looked at."""
    for _ in range(5):
        await carry_out(stores)
        found = await made.house.database.read(partial(erasures.one, id_=id_))
        if found and "files_at" in found.details:
            return found
    raise AssertionError("its files were not looked at")


async def test_nothing_is_readable_in_any_file_while_an_attachment_is_spared(url: str, tmp_path: Path) -> None:
    anna, folder = Person("Ozhidayushchaya"), tmp_path / "data"
    async with town(settings_of(folder, url)) as made:
        await made.live_through(anna)
        id_ = await asked(made)
        just_stored = replace(made.stores(), spared=timedelta(hours=1))
        erasure = await looked_at_once(made, just_stored, id_)
        assert (erasure.state, len(erasure.details["files"]) > 0) == ("shown", True)
        assert _files_left(erasure) == len(erasure.details["files"])
        assert [text for text in anna.texts.values() if text in await everything(made.house.database)] == []
        assert found_in([folder], anna.texts.values()) == {}


async def test_files_are_no_more_than_what_is_left_once_the_rest_is_wiped(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.live_through(Person("Podglyadyvayushchaya"))
        erasure = await looked_at_once(made, replace(made.stores(), spared=timedelta(hours=1)), await asked(made))
    del erasure.details["wiped"]
    assert _files_left(erasure) == 0
