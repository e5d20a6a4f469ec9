"""An erasure up to where nothing of somebody can be read any more: said in the log, then keys, files and rows go."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

from services.privacy import found, items, lost, misplaced, replays, tables, told_again
from services.privacy.showing import catch_up
from services.privacy.stores import Stores
from shared.clock import now, to_text
from shared.contracts import topics
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log import head
from shared.event_store.log_streams import read_streams_window
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from shared.logs import Log
from shared.read_models import groups
from shared.registry import erasures
from shared.registry.erasures import Erasure

log = Log("privacy")


def members(tx: Transaction, customer_id: UUID) -> set[UUID]:
    """Return the customers who are one person: whoever is shown as one is erased as one."""
    return set(map(UUID, groups.members(tx, customer_id)))


async def record(stores: Stores, erasure: Erasure) -> None:
    """Say it in the log: from here on nobody seals, sends or remembers anything with what is about to go.

    Who was put on hold since, or merged with somebody who is, waits for the release.
    """
    await catch_up(stores, await asyncio.to_thread(found.log_head, stores.database))
    customers = await stores.database.read(partial(members, customer_id=erasure.subject_id))
    if erasure.kind == "customer" and customers & await stores.database.read(partial(erasures.held, kind="customer")):
        return
    older = await stores.wire_keys.rotate()
    details: dict[str, Any] = {**erasure.details, "wire_keys": older, "rotated_at": to_text(now())}
    if erasure.kind == "customer":
        details["customers"] = sorted(map(str, customers))
        if not await stores.database.read(partial(_recorded_at, customers=customers, id_=erasure.id)):
            await stores.store.record(partial(_decide, customers=customers, erasure=erasure))
        position = await stores.database.read(partial(_recorded_at, customers=customers, id_=erasure.id))
    else:
        details["customers"] = []
        position = await asyncio.to_thread(found.log_head, stores.database)
    await erasures.advance(stores.database, erasure.id, "recorded", {**details, "position": position})


def _decide(session: Session, tx: Transaction, customers: set[UUID], erasure: Erasure) -> None:
    about = About(now(), e.Actor("system", erasure.requested_by))
    for customer_id in sorted(customers):
        session.add(customer_id, Happening(e.CustomerErased(customer_id, erasure.id, erasure.reason), about))


def _recorded_at(tx: Transaction, customers: set[UUID], id_: UUID) -> int:
    """Return the position of the last of the events that say it, 0 when there is none."""
    end = head(tx)
    events = read_streams_window(tx, sorted(customers), 0, end, end, (e.CustomerErased.__name__,))
    said = [r.position for r in events if isinstance(r.event, e.CustomerErased) and r.event.certificate_id == id_]
    return max(said, default=0)


async def destroy(stores: Stores, erasure: Erasure) -> None:
    """What goes that nobody could find out afterwards is written down first: files, by names that tell nothing, and
    whether raw items were kept before there were keys.
    """
    what = await asyncio.to_thread(find, stores, erasure)
    files = await asyncio.to_thread(_files, stores, erasure, what)
    if await asyncio.to_thread(_has_plain_raw_items, stores, what):
        files["plain_raw_items"] = True
    if files["files"] or "plain_raw_items" in files:
        await erasures.advance(stores.database, erasure.id, "recorded", {**erasure.details, **files})
    addresses = await _addresses(stores, erasure, what)
    letters = await items.letters_about(stores.look(topics.DEAD_LETTERS), stores.wire_keys, addresses)
    await asyncio.to_thread(stores.wire_keys.items.destroy, letters)
    counts = await asyncio.to_thread(_destroy_now, stores, erasure, what, addresses)
    log.info("erasure_destroyed", erasure_id=erasure.id, keys=counts["keys"])
    done = {**erasure.details, **files, "counts": counts, "looked_until": what.looked_until}
    await erasures.advance(stores.database, erasure.id, "destroyed", done)


def _files(stores: Stores, erasure: Erasure, what: found.Found) -> dict[str, Any]:
    copies = items.files_of(stores.database, _items(stores, erasure, what))
    position = int(erasure.details["position"])
    sha256s, until = found.files_of(stores.database, what, position, stores.blobs.has_any, copies)
    for sha256 in sha256s:
        stores.blobs.remove_plain_now(sha256)
    known = erasure.details.get("files", ())
    until = erasure.details.get("files_until", until)
    names = filter(stores.blobs.has, map(stores.blobs.name, sha256s))
    return {"files": sorted({*known, *names}), "files_until": until}


def _has_plain_raw_items(stores: Stores, what: found.Found) -> bool:
    """Also of what is somebody else's now: it is sealed in place, which leaves the plain one in PostgreSQL's files."""
    positions = [*what.positions, *(trace.position for trace in what.moved_out)]
    return tables.has_plain_raw_items(stores.database, positions)


async def give_up(stores: Stores, erasure: Erasure) -> None:
    """Whoever declared them lost has done it already, unless it died in between."""
    await asyncio.to_thread(lost.give_up, stores.keys, stores.wire_keys, erasure.details)
    if erasure.details.get("lost_wire_keys"):
        await told_again.tell(stores.database, stores.transport.publisher())
    await erasures.advance(stores.database, erasure.id, "destroyed", erasure.details)


async def _addresses(stores: Stores, erasure: Erasure, what: found.Found) -> set[tuple[str, str]]:
    """Return whose addresses they were, while it can still be read."""
    if erasure.kind != "customer":
        return set()
    return await asyncio.to_thread(found.addresses_of, stores.database, what)


def _destroy_now(
    stores: Stores, erasure: Erasure, what: found.Found, addresses: set[tuple[str, str]]
) -> dict[str, Any]:
    """What would outlive its key goes first, then the keys."""
    tables.forget(stores.database, (), (), (), (), addresses)
    misplaced.seal_apart(stores.database, stores.keys, what.moved_out)
    owner = erasure.subject_id
    keys = what.keys | misplaced.seal(stores.database, stores.keys, owner, what)
    stores.keys.destroy(keys)
    stores.keys.pages.note_erased(set(map(UUID, erasure.details["customers"])))
    forget(stores, erasure, what)
    replayed = replays.forget(stores.database, stores.data)
    kinds = dict(sorted(what.kinds.items()))
    return {
        "keys": len(keys), "events": len(what.positions), "by_type": kinds, "files": 0,
        "rewritten_events": len(what.misplaced) + len(what.moved_out), "conversations": len(what.conversations),
        "projections": replayed,
        "first_recorded_at": what.first_at, "last_recorded_at": what.last_at,
    }  # fmt: skip


def find(stores: Stores, erasure: Erasure) -> found.Found:
    with stores.database.reading() as tx:
        kept = erasures.held(tx, "customer")
    customers = set(map(UUID, erasure.details["customers"]))
    return found.find(stores.database, erasure, customers, kept, int(erasure.details["position"]))


def forget(stores: Stores, erasure: Erasure, what: found.Found) -> None:
    """Of a channel's old content only what was sent and fetched: its customers are still there."""
    whole = erasure.kind == "customer"
    conversations = what.conversations if whole else set()
    customers = set(map(UUID, erasure.details["customers"]))
    ids = _items(stores, erasure, what)
    stores.wire_keys.items.destroy(ids)
    items.forget_files(stores.database, ids)
    tables.forget(stores.database, customers, conversations, what.items, what.positions)
    if not whole and erasure.until:
        tables.forget_of_channel(stores.database, erasure.subject_id, erasure.until)


def _items(stores: Stores, erasure: Erasure, what: found.Found) -> set[str]:
    return items.ids_of(stores.database, what, what.conversations if erasure.kind == "customer" else ())
