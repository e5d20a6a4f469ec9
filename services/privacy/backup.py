"""`okno backup`: one file of the log, the settings and the files, in which everything of a customer is sealed.

No read models and no routing index (they are made anew from the log), and no keys: those are backed up apart.
"""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.house import House
from services.privacy import under_way
from services.privacy.readers import places
from services.privacy.sealed_rows import WITH_CONTENT, sealed
from shared.clock import now, to_text
from shared.database import written_format
from shared.database.protocol import Row, Transaction
from shared.durable import replace_durably
from shared.event_store.log import head
from shared.keys.items import ItemKeys
from shared.owner_only import make_file
from shared.registry.erasures import WrongErasure
from shared.transport.sealed import SealedTransport

FORMAT = 2
LENGTH_BYTES = 4
UNDER_WAY = "under_way"
ROWS = 200
TRIES = 5
KEPT: dict[str, tuple[str, ...]] = {
    "stored_events": ("rowid",), "raw_items": ("position",), "tracking": ("application_name",),
    "channels": ("id",), "channel_cursors": ("channel_id",),
    "channel_health": ("channel_id", "role"), "operators": ("id",), "operator_tokens": ("hash",), "erasures": ("id",),
    "retention_rules": ("channel_id",), "holds": ("id",),
    "deliveries": ("position",), "fetches": ("id",),
    "log_chain": ("number",), "log_resealed": ("position",), "business_settings": ("name",),
    "operator_telephones": ("operator_id",), "webhook_subscriptions": ("id",),
    "webhook_deliveries": ("subscription_id", "number"), "log_verifications": ("only_one",),
    "operator_signatures": ("operator_id",), "operator_sign_ins": ("operator_id",), "routing_copies": ("id",),
    "routing_copy_files": ("id",),
}  # fmt: skip
"""Tables that a backup has, and the columns by which they are read in parts. Of the routing index only what is not in
the log: which items were copies of others, and their files."""
MADE_ANEW = (
    "routing_seen", "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "routing_auto_replies", "routing_merges", "routing_claims", "erased_customers", "read_model_positions",
    "unreadable_events",
)  # fmt: skip
LEFT_OUT = (
    "channel_leases", "listening", "restoring", "read_model_rebuilds", "read_model_switches", "typing",
    "transport_topics", "transport_log", "transport_positions", "key_pages", "key_destructions", "erased", "wire_keys",
    "item_keys", "written_format",
)  # fmt: skip
"""What was under way in processes that are gone, topics (what was not read yet is published anew), the key store where
it shares a database, and the mark of the format, which the manifest has."""


class BackupOvertaken(WrongErasure):
    """Somebody was erased again and again while a backup was being written."""


async def back_up(house: House, file: Path) -> dict[str, Any]:
    """Write a backup while Okno runs; return what is in it.

    Raises OSError, TransportUnavailable, and BackupOvertaken: what is erased while it is written must not be in it, so
    it is begun anew.
    """
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        make_file(draft)
        for _ in range(TRIES):
            before = await asyncio.to_thread(house.keys.pages.destructions)
            contents = await _written(house, draft)
            if await asyncio.to_thread(house.keys.pages.destructions) == before:
                await asyncio.to_thread(replace_durably, draft, file)
                return contents
    finally:
        draft.unlink(missing_ok=True)
    raise BackupOvertaken(f"{TRIES} times somebody was erased meanwhile: try again later")


async def _written(house: House, draft: Path) -> dict[str, Any]:
    transport = house.transport()
    await transport.start()
    try:
        behind = await places(house.store, transport)  # before the snapshot: nothing is in neither
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            loop = asyncio.get_running_loop()
            counts, until = await asyncio.to_thread(_tables, house, archive, loop, transport)
            contents: dict[str, Any] = {"format": FORMAT, "made_at": to_text(now()), "tables": counts}
            contents["written"] = {"format": written_format.FORMAT, "needs": written_format.NEEDS}
            contents["under_way"] = await _under_way(house, archive, behind, until)
            contents["blobs"] = await asyncio.to_thread(_blobs, house, archive)
            archive.writestr("manifest.json", msgspec.json.encode(contents))
        return contents
    finally:
        await transport.close()


def _tables(
    house: House, archive: zipfile.ZipFile, loop: asyncio.AbstractEventLoop, transport: SealedTransport
) -> tuple[dict[str, int], dict[str, int]]:
    """Write all of one moment; return how many rows of each there are, and where the topics ended then."""
    counts: dict[str, int] = {}
    with house.database.reading() as tx:
        head(tx)  # the first question makes the snapshot
        ends = asyncio.run_coroutine_threadsafe(under_way.ends(transport), loop).result()
        for table in KEPT:
            with archive.open(f"tables/{table}", "w", force_zip64=True) as out:
                counts[table] = _table(tx, table, out, house.wire_keys.items)
    return counts, ends


def _table(tx: Transaction, table: str, out: Any, keys: ItemKeys) -> int:
    names, count = columns_of(tx, table), 0
    write(out, names)
    for part in _parts(tx, table, names):
        rows = sealed(table, names, part, keys) if table in WITH_CONTENT else part
        for row in rows:
            write(out, list(row))
        count += len(rows)
    return count


def _parts(tx: Transaction, table: str, names: list[str]) -> Iterator[list[Row]]:
    """Yield all rows of a table, never many of them at once."""
    by = (names[0],) if table == "stored_events" else KEPT[table]
    columns, marks = ", ".join(by), ", ".join("?" * len(by))
    select, order = f"SELECT {', '.join(names)} FROM {table}", f"ORDER BY {columns} LIMIT {ROWS}"
    at = [names.index(name) for name in by]
    rows = tx.rows(f"{select} {order}")
    while rows:
        yield rows
        rows = tx.rows(f"{select} WHERE ({columns}) > ({marks}) {order}", [rows[-1][i] for i in at])


async def _under_way(
    house: House, archive: zipfile.ZipFile, behind: Mapping[str, int], until: Mapping[str, int]
) -> int:
    count = 0
    with archive.open(UNDER_WAY, "w", force_zip64=True) as out:
        async for parcels in under_way.packed(house, behind, until):
            for parcel in parcels:
                write(out, parcel)
            count += len(parcels)
    return count


def _blobs(house: House, archive: zipfile.ZipFile) -> int:
    """Files are written before anything speaks of them, so all that the tables name are here."""
    paths = [path for path in sorted(house.blobs.folder.glob("??/*")) if not path.name.startswith(".")]
    count = 0
    for path in paths:
        try:
            archive.write(path, f"blobs/{path.parent.name}/{path.name}", zipfile.ZIP_STORED)
            count += 1
        except FileNotFoundError:  # erased meanwhile
            continue
    return count


def columns_of(tx: Transaction, table: str) -> list[str]:
    """Return the columns of a table; the log's position is the first of its."""
    if tx.dialect == "sqlite":
        names = [name for _, name, *_ in tx.rows(f"PRAGMA table_info({table})")]
    else:
        which = "attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped"
        sql = f"SELECT attname::text FROM pg_attribute WHERE {which} ORDER BY attnum"
        names = [name for (name,) in tx.rows(sql, (table,))]
    if table == "stored_events":
        position = "rowid" if tx.dialect == "sqlite" else "notification_id"
        names = [position, *(name for name in names if name != position)]
    return names


def write(out: Any, values: list[Any]) -> None:
    data = msgspec.msgpack.encode(values)
    out.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)


def read(stream: BinaryIO | Any) -> Iterator[list[Any]]:
    """Yield what was written."""
    while head := stream.read(LENGTH_BYTES):
        yield msgspec.msgpack.decode(stream.read(int.from_bytes(head, "big")))


def file_name() -> str:
    return time.strftime("okno-%Y%m%d-%H%M%S.backup")
