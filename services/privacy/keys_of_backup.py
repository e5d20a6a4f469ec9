"""The keys that a backup names: looked for before anything of it is loaded."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.house import House
from services.privacy import sealed_rows
from services.privacy.backup import UNDER_WAY, read
from shared.event_store.mapper import key_of
from shared.keys.pages import PAGE_ID_BYTES
from shared.keys.ring import NOBODY
from shared.transport.sealed import ITEM


@dataclass(frozen=True, slots=True)
class Missing:
    """Pages and ids of the keys that the store lacks; `pages_named`: how many pages the backup names in all."""

    pages: set[bytes]
    items: set[str]
    pages_named: int

    @property
    def any(self) -> bool:
        return bool(self.pages or self.items)

    @property
    def is_all(self) -> bool:
        """Whether no page is there: it is the key store of something else."""
        return bool(self.pages) and len(self.pages) == self.pages_named

    def __str__(self) -> str:
        single = f"{len(self.items)} keys of what was under way"
        return f"the key store lacks {len(self.pages)} of {self.pages_named} pages of keys, and {single}"


def missing(house: House, archive: zipfile.ZipFile) -> Missing:
    """Raises WrongKeyStore for a store of another OKNO_SECRET_KEY."""
    house.keys.pages.refuse_another_secret()
    pages = {key[:PAGE_ID_BYTES] for row in _rows(archive, "stored_events") if (key := key_of(row["state"]))}
    pages.discard(NOBODY[:PAGE_ID_BYTES])
    items = set[str]()
    for table in sealed_rows.WITH_CONTENT:
        items |= {id_ for row in _rows(archive, table) if (id_ := sealed_rows.key_of(table, row))}
    with archive.open(UNDER_WAY) as stream:
        items |= {id_ for parcel in read(stream) if (id_ := parcel[3] or parcel[2].get(ITEM))}
    return Missing(house.keys.pages.missing(pages), house.wire_keys.items.missing(items), len(pages))


def _rows(archive: zipfile.ZipFile, table: str) -> Iterator[dict[str, Any]]:
    if f"tables/{table}" not in archive.namelist():
        return
    with archive.open(f"tables/{table}") as stream:
        rows = read(stream)
        names: list[str] = next(rows)
        yield from (dict(zip(names, row, strict=True)) for row in rows)
