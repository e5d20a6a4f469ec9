"""`okno backup`: one file of the log, the settings and the files, in which everything of a customer is sealed.

No read models and no routing index (they are made anew from the log), and no keys: those are backed up apart.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.house import House
from services.privacy.sealed_rows import WITH_CONTENT, sealed
from shared.clock import now, to_text
from shared.database.protocol import Row, Transaction

FORMAT = 1
LENGTH_BYTES = 4
ROWS = 1000
KEPT: dict[str, str] = {
    "stored_events": "rowid", "raw_items": "position", "tracking": "", "channels": "", "channel_cursors": "",
    "channel_health": "", "operators": "", "operator_tokens": "", "erasures": "", "retention_rules": "", "holds": "",
    "transport_topics": "", "transport_log": "", "transport_positions": "", "deliveries": "position", "fetches": "",
    "log_chain": "number", "log_resealed": "", "business_settings": "", "operator_telephones": "",
    "webhook_subscriptions": "", "webhook_deliveries": "", "log_verifications": "", "operator_signatures": "",
}  # fmt: skip
"""Tables that a backup has, and the column by which the large ones are read in parts."""
MADE_ANEW = (
    "routing_seen", "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "routing_auto_replies", "routing_merges", "routing_claims", "erased_customers", "read_model_positions",
)  # fmt: skip
LEFT_OUT = ("channel_leases", "read_model_rebuilds", "typing", "key_pages", "key_destructions", "erased", "wire_keys")
"""What was under way in processes that are gone, and the key store where it shares a database."""


async def back_up(house: House, file: Path) -> dict[str, Any]:
    """Write a backup while Okno runs; return what is in it. Raises OSError."""
    key_id, cipher = await house.wire_keys.present()
    draft = file.with_name(f".{file.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            contents = _tables(house, archive, key_id, cipher)
            contents |= {"format": FORMAT, "made_at": to_text(now()), "blobs": _blobs(house, archive)}
            archive.writestr("manifest.json", msgspec.json.encode(contents))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return contents


def _tables(house: House, archive: zipfile.ZipFile, key_id: str, cipher: AESGCM) -> dict[str, Any]:
    """All of one moment."""
    counts: dict[str, int] = {}
    with house.database.reading() as tx:
        for table in KEPT:
            if not _exists(tx, table):
                continue
            with archive.open(f"tables/{table}", "w", force_zip64=True) as out:
                counts[table] = _table(tx, table, out, key_id, cipher)
    return {"tables": counts}


def _table(tx: Transaction, table: str, out: Any, key_id: str, cipher: AESGCM) -> int:
    names, count = columns_of(tx, table), 0
    write(out, names)
    for row in _rows(tx, table, names):
        kept = sealed(table, dict(zip(names, row, strict=True)), key_id, cipher) if table in WITH_CONTENT else row
        if kept is not None:
            write(out, list(kept))
            count += 1
    return count


def _rows(tx: Transaction, table: str, names: list[str]) -> Iterator[Row]:
    by = KEPT[table]
    if by == "rowid":
        by = names[0]
    select = f"SELECT {', '.join(names)} FROM {table}"
    if not by:
        yield from tx.rows(select)
        return
    at = names.index(by)
    last = -1
    while rows := tx.rows(f"{select} WHERE {by} > ? ORDER BY {by} LIMIT ?", (last, ROWS)):
        last = rows[-1][at]
        yield from rows


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
        sql = "SELECT column_name FROM information_schema.columns WHERE table_name = ? AND table_schema = 'public'"
        names = [name for (name,) in tx.rows(f"{sql} ORDER BY ordinal_position", (table,))]
    if table == "stored_events":
        position = "rowid" if tx.dialect == "sqlite" else "notification_id"
        names = [position, *(name for name in names if name != position)]
    return names


def _exists(tx: Transaction, table: str) -> bool:
    if tx.dialect == "sqlite":
        return tx.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)) is not None
    return tx.row("SELECT 1 FROM information_schema.tables WHERE table_name = ?", (table,)) is not None


def write(out: Any, values: list[Any]) -> None:
    data = msgspec.msgpack.encode(values)
    out.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)


def read(stream: BinaryIO | Any) -> Iterator[list[Any]]:
    """Yield what was written."""
    while head := stream.read(LENGTH_BYTES):
        yield msgspec.msgpack.decode(stream.read(int.from_bytes(head, "big")))


def file_name() -> str:
    return time.strftime("okno-%Y%m%d-%H%M%S.backup")
