"""`okno restore`: a backup into an empty installation whose key store is in its place already.

Who was erased after the backup was made is erased again: the key store knows.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import zipfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from services.house import House, alone
from services.privacy import keys_of_backup, lost, sealed_rows, under_way
from services.privacy.backup import KEPT, UNDER_WAY, columns_of, read
from services.privacy.erased_again import BY, erase_again
from services.privacy.keys_of_backup import Missing
from services.privacy.lost_on_the_way import OnTheWay
from services.privacy.whole_backup import WrongBackup, opened
from services.projector.rebuild import Wanted, rebuild
from shared.contracts import topics
from shared.database.protocol import Occupied, Transaction
from shared.durable import sync
from shared.event_store import fitting_keys
from shared.event_store.reindex import reindex
from shared.keys.pages import WrongKeyStore
from shared.owner_only import make_folder, opener
from shared.registry import erasures, restoring
from shared.transport.sealed import SealedTransport

ROWS = 500
LACKED = "keys were missing from the key store that a backup was restored with"
NAME = "restore"
_RUNNING = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
LISTENS, LEADS = "okno-listen", "okno-lead"
"""Every service has such a connection, wherever it runs; the lock of the data folder knows this machine only. Who
restores leads too."""
GONE_SECONDS = 3.0
FILLED = (*KEPT, "transport_log")
"""What a restore fills and does not make anew, as it does read models and the routing index."""


class StillRunning(WrongBackup):
    """Some process of Okno is connected to the database."""


async def restore(
    house: House, file: Path, *, keys_may_lack: bool = False, whole_store: bool = False, pass_over: bool = False
) -> dict[str, Any]:
    """Load everything, make the index and the read models anew; return what was loaded. Raises WrongBackup.

    Nothing else may run meanwhile: raises WrongSettings. `keys_may_lack`: what the key store lacks is declared lost,
    else WrongKeyStore is raised before anything is loaded; `whole_store`: also when it has no page at all. `pass_over`:
    events that cannot be read are named and left out of the index, else EventUnreadable is raised. While it is not
    finished no service starts; one that was cut short is begun anew by the next.
    """
    archive, manifest = await asyncio.to_thread(opened, file)
    transport = house.transport()
    with archive, alone(house.settings):
        await _refuse_used(house)
        await asyncio.to_thread(_give_up_what_was_declared, house)
        missing = await asyncio.to_thread(keys_of_backup.missing, house, archive)
        _refuse_other_keys(missing, keys_may_lack, whole_store)
        await transport.start()  # what can be published nowhere need not be loaded
        try:
            async with house.database.sole(NAME) as watch:
                return await _while_sole(watch, _restored(house, transport, archive, manifest, missing, pass_over))
        except Occupied:
            raise WrongBackup("another restore runs on this database: wait for its end") from None
        finally:
            await transport.close()


async def _begin(house: House, file: str) -> None:
    """Keep all services from starting; leave nothing of a restore that was cut short. Raises WrongBackup.

    One that looked a moment before may be there by now; if it is not seen here, it looks again and ends.
    """
    cut_short = await house.database.read(restoring.unfinished)
    await house.database.write(partial(restoring.begin, file=file))
    try:
        await house.database.read(partial(_refuse_running, names={LISTENS}))
    except WrongBackup:
        if not cut_short:
            await house.database.write(restoring.end)
        raise
    for table in FILLED if cut_short else ():
        await house.database.write(partial(_empty, table=table))


def _empty(tx: Transaction, table: str) -> None:
    """What was declared lost stays so: the key store has destroyed keys in its place, and nothing lacks any more."""
    if table == "erasures":
        tx.run("DELETE FROM erasures WHERE kind <> 'lost' OR requested_by <> ?", (BY,))
    elif columns_of(tx, table):
        tx.run(f"{'TRUNCATE' if tx.dialect == 'postgres' else 'DELETE FROM'} {table}")


def _give_up_what_was_declared(house: House) -> None:
    """A restore that was cut short while it declared keys lost has declared them: they lack no more."""
    with house.database.reading() as tx:
        declared = _declarations(tx)
    for each in declared:
        lost.give_up(house.keys, house.wire_keys, each.details)


def _declarations(tx: Transaction) -> list[erasures.Erasure]:
    return [each for each in erasures.unfinished(tx) if (each.kind, each.requested_by) == ("lost", BY)]


def _declared(tx: Transaction) -> tuple[int, int]:
    """Return how many pages and single keys were declared lost by this restore, or by one that was cut short."""
    counts = [each.details["counts"] for each in _declarations(tx)]
    return sum(each["pages"] for each in counts), sum(each["lost_letters"] for each in counts)


async def _while_sole(
    watch: Callable[[], Awaitable[None]], work: Coroutine[None, None, dict[str, Any]]
) -> dict[str, Any]:
    """Return what the work returns. Raises DatabaseUnavailable once another process may begin the same."""
    watching, working = asyncio.ensure_future(watch()), asyncio.ensure_future(work)
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            watching.result()
        return await working
    finally:
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)


async def _restored(
    house: House,
    transport: SealedTransport,
    archive: zipfile.ZipFile,
    manifest: dict[str, Any],
    missing: Missing,
    pass_over: bool,
) -> dict[str, Any]:
    """What was under way is published when all else is there: whoever reads it finds what it is about."""
    await _begin(house, str(archive.filename))
    for table in (table for table in KEPT if table in manifest["tables"]):
        with archive.open(f"tables/{table}") as stream:
            await _load(house, table, stream, missing.items)
    await asyncio.to_thread(_load_files, archive, house.blobs.folder)
    if missing.any:
        found = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
        await lost.declare(house, found, OnTheWay(letters=missing.items), LACKED, BY, whole_store=True)
    events, left_out = await asyncio.to_thread(partial(reindex, house.database, pass_over=pass_over))
    await rebuild_all(house)
    again = await house.database.write(partial(erase_again, erased=house.keys.pages.erased()))
    with archive.open(UNDER_WAY) as stream:
        published, erased = await under_way.publish(house, transport, read(stream))
    pages, items = await house.database.read(_declared)
    await house.database.write(restoring.end)
    return {
        "events": events, "under_way": published, "under_way_of_erased": erased, "blobs": manifest["blobs"],
        "made_at": manifest["made_at"], "erased_again": again, "lost_pages": pages, "lost_items": items,
        "left_out": left_out,
    }  # fmt: skip


async def rebuild_all(house: House) -> None:
    """The live tables are empty and say that they are at the beginning: they are filled as by a rebuild."""
    await house.database.write(_at_the_end)
    await rebuild(house.database, Wanted(afresh=True), place=house.place)


def _at_the_end(tx: Transaction) -> None:
    column = "rowid" if tx.dialect == "sqlite" else "notification_id"
    tx.run(f"UPDATE read_model_positions SET position = (SELECT COALESCE(MAX({column}), 0) FROM stored_events)")


def _refuse_other_keys(missing: Missing, keys_may_lack: bool, whole_store: bool) -> None:
    if missing.is_all and not (keys_may_lack and whole_store):
        raise WrongKeyStore(
            f"{missing}: this is another key store. {fitting_keys.ADVICE}"
            " (or --keys-may-lack --whole-store, when it is gone for good)"
        )
    if missing.any and not keys_may_lack:
        raise WrongKeyStore(f"{missing}: {fitting_keys.ADVICE}, or declare them lost by --keys-may-lack")


async def _refuse_used(house: House) -> None:
    """PostgreSQL may take a moment to see that the last process has gone."""
    until = time.monotonic() + GONE_SECONDS
    while True:
        try:
            return await house.database.read(_refuse_what_is_in_use)
        except StillRunning:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.1)


def _refuse_what_is_in_use(tx: Transaction) -> None:
    """What is there of a restore that was cut short is in nobody's use."""
    in_use = tx.row("SELECT 1 FROM stored_events LIMIT 1") or tx.row("SELECT 1 FROM channels LIMIT 1")
    if in_use and not restoring.unfinished(tx):
        raise WrongBackup("this installation is in use: a backup is restored into an empty one")
    _refuse_running(tx, {LISTENS, LEADS})


def _refuse_running(tx: Transaction, names: set[str]) -> None:
    if tx.dialect == "postgres" and names & {name for (name,) in tx.rows(_RUNNING)}:
        raise StillRunning("Okno runs on this database: stop all of it first")


async def _load(house: House, table: str, stream: BinaryIO | Any, missing: set[str]) -> None:
    rows = read(stream)
    names: list[str] = next(rows)
    while part := list(islice(rows, ROWS)):
        if table in sealed_rows.WITH_CONTENT:
            part = _opened(house, table, [dict(zip(names, row, strict=True)) for row in part], missing)
        await house.database.write(partial(_insert, table=table, names=names, rows=part))


def _opened(house: House, table: str, rows: Sequence[dict[str, Any]], missing: set[str]) -> list[list[Any]]:
    """Missing keys are as good as destroyed ones; the key store has them as before until they are declared lost."""
    ids = {id_ for row in rows if (id_ := sealed_rows.key_of(table, row))}
    ciphers = {**dict.fromkeys(ids & missing), **house.wire_keys.items.openers(ids - missing)}
    found = (sealed_rows.opened(table, row, ciphers) for row in rows)
    return [list(row.values()) for row in found if row is not None]


def _insert(tx: Transaction, table: str, names: Sequence[str], rows: Sequence[list[Any]]) -> None:
    """The two databases name the log's position differently, and write its streams' ids differently."""
    here = columns_of(tx, table)
    if table == "tracking":
        rows = [row for row in rows if row[0].partition("/")[0] not in topics.ALL]  # these topics begin anew
    if table == "stored_events":
        rows = list(_events(tx, names, rows))
        names = [here[0], *names[1:]]
    elif missing := set(names) - set(here):
        raise WrongBackup(f"{table} has columns that this version does not know: {', '.join(sorted(missing))}")
    tx.insert_many(table, names, rows, "ON CONFLICT DO NOTHING")
    if table == "stored_events" and tx.dialect == "postgres":
        sequence = "pg_get_serial_sequence('stored_events', 'notification_id')"
        tx.row(f"SELECT setval({sequence}, (SELECT MAX(notification_id) FROM stored_events))")


def _events(tx: Transaction, names: Sequence[str], rows: Sequence[list[Any]]) -> Iterator[list[Any]]:
    at = names.index("originator_id")
    for row in rows:
        id_ = str(row[at]).replace("-", "")
        yield [*row[:at], id_ if tx.dialect == "sqlite" else str(row[at]), *row[at + 1 :]]


def _load_files(archive: zipfile.ZipFile, folder: Path) -> None:
    """Return once they are on the disk: the log, which is, speaks of them."""
    folders = set[Path]()
    make_folder(folder)
    for name in archive.namelist():
        parts = Path(name).parts
        if len(parts) != 3 or parts[0] != "blobs" or ".." in parts:
            continue
        target = folder / parts[1] / parts[2]
        make_folder(target.parent)
        with archive.open(name) as source, open(target, "wb", opener=opener) as out:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
        folders.add(target.parent)
    for made in (*folders, folder, folder.parent):
        sync(made)
