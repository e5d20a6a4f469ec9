"""Carries erasures out, step by step; each step may be repeated, so a crash costs only time.

Several are done together: read models are rebuilt, and what travels is waited for, once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from services.privacy import found, items, lost, lost_on_the_way, misplaced, referred, replays, tables, told_again
from services.privacy.certificate import signed
from services.privacy.held_up import tried
from services.privacy.readers import READERS
from services.projector.rebuild import Wanted, rebuild
from shared.blobs import Blobs
from shared.clock import from_text, now, to_text
from shared.contracts import topics
from shared.database.protocol import Database, Occupied, Transaction
from shared.domain import events as e
from shared.event_store.log import head
from shared.event_store.log_streams import read_streams_window
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.keys.ring import KeyRing
from shared.keys.wire import LOOK_SECONDS, WireKeys
from shared.logs import Log
from shared.read_models import groups, live
from shared.registry import erasures
from shared.registry.erasures import Erasure
from shared.transport.protocol import Transport

SETTLE = timedelta(seconds=2 * LOOK_SECONDS + 1)
"""After so long nobody seals with a key that was replaced: what they published with it is confirmed or refused."""
SPARED = timedelta(minutes=10)
"""A file stored so lately may be somebody's of whom the log does not know yet: it is looked at again."""
BATCH = 500
METHODS = {
    "lost": "AES-256-GCM keys that were missing from the key store declared lost; read models built anew",
    **dict.fromkeys(
        ("customer", "retention"), "AES-256-GCM keys overwritten; files and rows deleted; read models built anew"
    ),
}
log = Log("privacy")


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that holds something of somebody."""

    database: Database
    store: EventStore
    keys: KeyRing
    wire_keys: WireKeys
    blobs: Blobs
    transport: Transport
    look: referred.Look
    secret_key: bytes
    data: Path
    settle: timedelta = SETTLE
    spared: timedelta = SPARED


async def carry_out(stores: Stores) -> int:
    """Do what can be done now of all that was asked for; return how many erasures are still under way.

    Raises DatabaseUnavailable, TransportUnavailable.
    """
    work = await stores.database.read(erasures.unfinished)
    for erasure in work:
        if erasure.state == "requested":
            await tried(stores.database, erasure, "record", partial(_record, stores, erasure))
    for erasure in await stores.database.read(erasures.unfinished):
        if erasure.state == "recorded":
            destroy = _give_up if erasure.kind == "lost" else _destroy
            await tried(stores.database, erasure, "destroy", partial(destroy, stores, erasure))
    waiting = [each for each in await stores.database.read(erasures.unfinished) if each.state == "destroyed"]
    if waiting:
        await _show(stores, waiting)
    shown = [each for each in await stores.database.read(erasures.unfinished) if each.state == "shown"]
    travelling = [each for each in shown if not each.details.get("nothing_travels")]
    if travelling and await _nothing_travels(stores, travelling):
        for erasure in travelling:
            erasure.details["nothing_travels"] = True
    travelled = [erasure for erasure in shown if erasure.details.get("nothing_travels")]
    ended = [
        each for each in travelled
        if await tried(stores.database, each, "files", partial(_files_are_gone, stores, each))
    ]  # fmt: skip
    if certain := await _forgotten(stores, ended):
        await _certify(stores, certain)
    unwiped = [each for each in travelled if each not in ended and not each.details.get("wiped")]
    if late := await _forgotten(stores, unwiped):
        await _wipe_before_files(stores, late)
    return len(await stores.database.read(erasures.unfinished))


def members(tx: Transaction, customer_id: UUID) -> set[UUID]:
    """Return the customers who are one person: whoever is shown as one is erased as one."""
    return set(map(UUID, groups.members(tx, customer_id)))


# --- the steps --------------------------------------------------------------------------------------------


async def _record(stores: Stores, erasure: Erasure) -> None:
    """Say it in the log: from here on nobody seals, sends or remembers anything with what is about to go.

    Who was put on hold since, or merged with somebody who is, waits for the release.
    """
    await _catch_up(stores, await asyncio.to_thread(found.log_head, stores.database))
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


async def _destroy(stores: Stores, erasure: Erasure) -> None:
    """What goes that nobody could find out afterwards is written down first: files, by names that tell nothing, and
    whether raw items were kept before there were keys.
    """
    what = await asyncio.to_thread(_find, stores, erasure)
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
    sha256s, until = found.files_of(stores.database, what, int(erasure.details["position"]), stores.blobs.has_any)
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


async def _give_up(stores: Stores, erasure: Erasure) -> None:
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
    _forget(stores, erasure, what)
    replayed = replays.forget(stores.database, stores.data)
    kinds = dict(sorted(what.kinds.items()))
    return {
        "keys": len(keys), "events": len(what.positions), "by_type": kinds, "files": 0,
        "rewritten_events": len(what.misplaced) + len(what.moved_out), "conversations": len(what.conversations),
        "projections": replayed,
        "first_recorded_at": what.first_at, "last_recorded_at": what.last_at,
    }  # fmt: skip


def _find(stores: Stores, erasure: Erasure) -> found.Found:
    with stores.database.reading() as tx:
        kept = erasures.held(tx, "customer")
    customers = set(map(UUID, erasure.details["customers"]))
    return found.find(stores.database, erasure, customers, kept, int(erasure.details["position"]))


def _forget(stores: Stores, erasure: Erasure, what: found.Found) -> None:
    """Of a channel's old content only what was sent and fetched: its customers are still there."""
    whole = erasure.kind == "customer"
    conversations = what.conversations if whole else set()
    customers = set(map(UUID, erasure.details["customers"]))
    stores.wire_keys.items.destroy(items.ids_of(stores.database, what, conversations))
    tables.forget(stores.database, customers, conversations, what.items, what.positions)
    if not whole and erasure.until:
        tables.forget_of_channel(stores.database, erasure.subject_id, erasure.until)


async def _show(stores: Stores, waiting: Sequence[Erasure]) -> None:
    """Build the read models from what can still be read, once they have seen all that was recorded before."""
    if any(each.details["counts"]["events"] for each in waiting):
        await _catch_up(stores, max(int(each.details["position"]) for each in waiting))
        try:
            await rebuild(stores.database, Wanted(afresh=True))
        except Occupied:
            return  # somebody else's rebuild may show what was readable when it began: ours comes after it
    await asyncio.to_thread(
        stores.keys.pages.wipe
    )  # it may wait for whoever reads: nobody should read the old rows then
    for erasure in waiting:
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)


async def _catch_up(stores: Stores, until: int) -> None:
    """What a follower remembers of the time before must not be shown after the switch; none may be running."""
    while (position := await stores.database.read(live.position)) < until:
        events = await stores.store.after(position, BATCH)
        await stores.database.write(partial(live.take_in, events=events))
    for name in filter(live.is_apart, live.models()):
        await _catch_up_apart(stores, name, until)


async def _catch_up_apart(stores: Stores, name: str, until: int) -> None:
    """Tables of another version are not filled by anybody: the rebuild makes them."""
    while True:
        standing = (await stores.database.read(live.standings))[name]
        if standing.position >= until or standing.version != live.models()[name].version:
            return
        events = await stores.store.after(standing.position, BATCH)
        await stores.database.write(partial(live.take_in_apart, name=name, events=events))


async def _nothing_travels(stores: Stores, shown: Sequence[Erasure]) -> bool:
    """Return whether all that was sealed with older keys has been read; then those keys are gone."""
    settled = max(str(each.details["rotated_at"]) for each in shown)
    if to_text(now() - stores.settle) < settled:
        return False
    marks = await _marks(stores, shown)
    for topic, group, in_log in READERS:
        ends = await stores.transport.ends(topic)
        done = await stores.store.positions(list(ends)) if in_log else await stores.transport.done(topic, group)
        is_behind = any(done.get(source, -1) < marks[source] for source in ends if source in marks)
        if is_behind and not await lost_on_the_way.is_passed_over(stores.look, stores.wire_keys, topic, done, marks):
            return False
    older = {id_ for each in shown for id_ in each.details["wire_keys"]}
    await stores.wire_keys.destroy(older)
    return True


async def _marks(stores: Stores, shown: Sequence[Erasure]) -> dict[str, int]:
    """Return where the topics ended when everything sealed with older keys was in them; looked at once."""
    if all("marks" in each.details for each in shown):
        known: dict[str, int] = shown[-1].details["marks"]
        return known
    marks = {source: end for topic, _, _ in READERS for source, end in (await stores.transport.ends(topic)).items()}
    for erasure in shown:
        erasure.details["marks"] = marks
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)
    return marks


async def _files_are_gone(stores: Stores, erasure: Erasure) -> bool:
    """Delete the files that nobody else has got meanwhile; return whether none is left to be looked at again."""
    at = now()
    if at < from_text(erasure.details.get("files_at", erasure.requested_at)):
        return False
    held = await _held(stores) if erasure.details.get("files") else set()
    gone, left, until = await asyncio.to_thread(_remove_files, stores, erasure, (at - stores.spared).timestamp(), held)
    erasure.details["counts"]["files"] += gone
    if left:
        again = to_text(at + stores.spared / 10)
        erasure.details.update(files=left, files_until=until, files_at=again)
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)
    return not left


async def _wipe_before_files(stores: Stores, late: Sequence[Erasure]) -> None:
    """Files may be waited for a day: what was deleted from tables is not to lie in the databases' files so long."""
    await asyncio.to_thread(_wipe, stores, late)
    for erasure in late:
        erasure.details["wiped"] = True
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)


async def _held(stores: Stores) -> set[str]:
    """Return the names of files that something refers to which the log does not have yet."""
    place = (stores.database, stores.store, stores.transport, stores.look, stores.wire_keys)
    return set(map(stores.blobs.name, await referred.sha256s(*place)))


def _remove_files(
    stores: Stores, erasure: Erasure, unused_since: float, held: Collection[str]
) -> tuple[int, list[str], int]:
    """Return how many files were deleted, the names of those that are to be looked at again, and the log's end."""
    wanted = set(erasure.details.get("files", ()))
    if not wanted:
        return 0, [], 0
    end = found.log_head(stores.database)
    since = found.files_between(stores.database, int(erasure.details["files_until"]), end)
    wanted -= set(map(stores.blobs.name, since))
    gone = {name for name in wanted - set(held) if stores.blobs.remove_now(name, unused_since)}
    return len(gone), sorted(wanted - gone), end


async def _certify(stores: Stores, ended: Sequence[Erasure]) -> None:
    await asyncio.to_thread(_wipe, stores, ended)
    for erasure in ended:
        at = now()
        certificate = signed(_body(erasure, at), stores.secret_key)
        await erasures.finish(stores.database, erasure.id, at, certificate)
        log.info("erasure_done", erasure_id=erasure.id)


async def _forgotten(stores: Stores, wanted: Sequence[Erasure]) -> list[Erasure]:
    """What a sender wrote meanwhile goes too; return those of which that is so."""

    async def forget(erasure: Erasure) -> bool:
        if erasure.kind != "lost":
            await asyncio.to_thread(lambda: _forget(stores, erasure, _find(stores, erasure)))
        return True

    return [each for each in wanted if await tried(stores.database, each, "forget", partial(forget, each))]


def _wipe(stores: Stores, ended: Sequence[Erasure]) -> None:
    """The files of the databases are cleared of what was deleted, once for all: whole tables are written anew."""
    has_plain = any(erasure.details.get("plain_raw_items") for erasure in ended)
    stores.database.wipe((*tables.TABLES, *((tables.RAW_ITEMS,) if has_plain else ())))
    stores.keys.database.wipe(("wire_keys", "item_keys"))


def _body(erasure: Erasure, at: datetime) -> dict[str, Any]:
    subject = "channel" if erasure.kind == "retention" else "customers"
    subjects = str(erasure.subject_id) if erasure.kind == "retention" else erasure.details["customers"]
    return {
        "certificate_id": str(erasure.id),
        "kind": erasure.kind,
        subject: subjects,
        "recorded_before": erasure.until,
        "reason": erasure.reason,
        "requested_by": erasure.requested_by,
        "requested_at": erasure.requested_at,
        "finished_at": to_text(at),
        "destroyed": {**erasure.details["counts"], "wire_keys": len(erasure.details["wire_keys"])},
        "log_position": erasure.details["position"],
        "method": METHODS[erasure.kind],
    }
