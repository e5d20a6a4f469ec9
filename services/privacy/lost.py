"""Keys that are missing from the key store: whose content they sealed, and how that is declared lost for good.

Never by itself: a page that is missing may be in a backup of the key store. Once declared, its keys are keys that were
destroyed: the log can be read again, without what they sealed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from services.house import House
from services.privacy import lost_on_the_way
from services.privacy.found import traces
from services.privacy.lost_on_the_way import OnTheWay
from shared.clock import now, to_text
from shared.database.protocol import Database
from shared.event_store import fitting_keys
from shared.event_store.log import head
from shared.keys.pages import PAGE_ID_BYTES, KeyPages
from shared.keys.ring import KeyRing
from shared.keys.wire import WireKeys
from shared.registry import erasures

REASON = "keys were missing from the key store"


@dataclass(slots=True)
class Lost:
    """`owners`: how many events of each customer, or item in quarantine, cannot be read; `of_log`: pages in all.

    `until`: the log's end then.
    """

    pages: set[bytes]
    of_log: int
    until: int
    owners: Counter[UUID] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    first_at: str | None = None
    last_at: str | None = None

    @property
    def events(self) -> int:
        return self.owners.total()


def find(database: Database, pages: KeyPages) -> Lost:
    """Return what the log names and the store lacks; reads all of the log, without its content."""
    with database.reading() as tx:
        named, until = fitting_keys.pages_of_log(tx), head(tx)
    lost = Lost(pages.missing(named), len(named), until)
    for trace in traces(database, until) if lost.pages else ():
        if trace.key and trace.key[:PAGE_ID_BYTES] in lost.pages:
            lost.owners[trace.owner] += 1
            lost.kinds[trace.type] += 1
            lost.first_at = lost.first_at or to_text(trace.recorded_at)
            lost.last_at = to_text(trace.recorded_at)
    return lost


async def declare(
    house: House, lost: Lost, on_the_way: OnTheWay, reason: str, by: str, whole_store: bool = False
) -> UUID:
    """Declare missing keys lost; return the request by which read models are made anew and a certificate is written.

    `whole_store`: also when the store has none at all. Raises WrongErasure, and WrongKeyStore for another secret key.
    """
    if not lost.pages and not on_the_way.any:
        raise erasures.WrongErasure("no key is missing: there is nothing to declare lost")
    house.keys.pages.refuse_another_secret()
    if lost.pages and len(lost.pages) == lost.of_log and not whole_store:
        raise erasures.WrongErasure(
            f"none of the {lost.of_log} pages of keys is there: this is another key store. {fitting_keys.ADVICE}"
            " (or --whole-store, when it is gone for good)"
        )
    details = _details(lost, on_the_way)
    id_ = await house.database.write(partial(erasures.add_lost, reason=reason or REASON, by=by, details=details))
    give_up(house.keys, house.wire_keys, details)
    return id_


def give_up(keys: KeyRing, wire_keys: WireKeys, details: dict[str, Any]) -> None:
    """Put destroyed keys in the place of all that a declaration has; may be repeated."""
    keys.pages.give_up([bytes.fromhex(page) for page in details["pages"]])
    lost_on_the_way.give_up(wire_keys, set(details.get("lost_wire_keys", ())), set(details.get("lost_letters", ())))
    keys.forget()


def _details(lost: Lost, on_the_way: OnTheWay) -> dict[str, Any]:
    """As of an erasure that is recorded: no key of what travels has to go, nor any file, whose names are lost too."""
    return {
        "customers": sorted(map(str, lost.owners)), "pages": sorted(page.hex() for page in lost.pages),
        "lost_wire_keys": sorted(on_the_way.wire), "lost_letters": sorted(on_the_way.letters),
        "wire_keys": [], "rotated_at": to_text(now()), "nothing_travels": True,
        "position": lost.until,
        "counts": {
            "keys": 0, "pages": len(lost.pages), "events": lost.events, "by_type": dict(sorted(lost.kinds.items())),
            "lost_wire_keys": len(on_the_way.wire), "lost_letters": len(on_the_way.letters),
            "unread_records": dict(sorted((+on_the_way.unread).items())),
            "files": 0, "first_recorded_at": lost.first_at, "last_recorded_at": lost.last_at,
        },
    }  # fmt: skip
