"""A file goes with the erased only when nobody has it or will have it: what is not in the log yet counts too."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from services.ingest.fetch_queue import FetchQueue
from services.privacy.job import carry_out
from services.privacy.main import stores_of
from shared.clock import now
from shared.contracts import topics
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import FileRef, RemoteFile
from shared.registry import erasures
from tests.examples import outgoing
from tests.privacy.test_under_way import closed_shop
from tests.privacy.town import Person, settings_of, town


async def test_a_file_of_mail_that_waits_for_hours_and_of_a_fetch_that_is_not_told_stays(
    url: str, tmp_path: Path
) -> None:
    anna, boris, folder = Person("Obshchaya"), Person("Obshchiy"), tmp_path / "data"
    contents = (b"a price list" * 9, b"a recording" * 9, b"a draft" * 9, b"a letter" * 9)
    async with town(settings_of(folder, url)) as made:
        blobs, database = made.house.blobs, made.house.database
        waiting, fetched, uploaded, own = [await blobs.put(content) for content in contents]
        files = tuple(FileRef(sha256, 9, "file", "text/plain") for sha256 in (waiting, fetched, uploaded, own))
        await made.publish(made.item(anna, "email", "first", files=files))
        ((customer,),) = await database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        id_ = await database.write(partial(erasures.request, customer_id=UUID(customer), reason="", by="o"))
        mail = made.item(boris, "email", "later", files=files[:1])
        remote = RemoteFile("https://pbx.example/1.mp3", "1.mp3", "audio/mpeg")
        call = made.item(boris, "email", "call", remote_files=(remote,))
        just_stored = replace(made.stores(), spared=timedelta(hours=1))
        for _ in range(2):
            await carry_out(just_stored)  # all but the files
        sql = "UPDATE erasures SET details = replace(details, 'files_at', 'x')"
        await database.write(lambda tx: tx.run(sql))  # as if it were time to look at them again
    async with closed_shop(folder, url) as (house, transport):
        for path in [path for path in house.blobs.folder.rglob("*") if path.is_file()]:
            os.utime(path, (0, 0))
        await house.blobs.put(contents[2], spared_seconds=3600)  # as an upload
        await transport.publisher().publish(topics.INBOUND, outgoing(mail, f"email:{boris.email}"))
        queue = FetchQueue(house.database)
        await queue.hold(call)
        result = FileFetched(fetch_id(call.id, remote.ref), call.id, call.channel_id, remote.ref, files[1], now())
        await queue.settle(result)
        await carry_out(replace(stores_of(house, transport), settle=timedelta(0)))
        erasure = await house.database.read(partial(erasures.one, id_=id_))
        assert erasure is not None
        assert (erasure.state, len(erasure.details["files"])) == ("shown", 3)
        for sha256, content in zip((waiting, fetched, uploaded), contents, strict=False):
            assert await house.blobs.get(sha256) == content
        with pytest.raises(FileNotFoundError):
            await house.blobs.get(own)
