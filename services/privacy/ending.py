"""The end of an erasure: what travels has been read, files are gone, the databases' own are written anew; certified."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from services.privacy import found, lost_on_the_way, referred, tables
from services.privacy.certificate import signed
from services.privacy.destroying import find, forget
from services.privacy.held_up import tried
from services.privacy.readers import READERS
from services.privacy.stores import Stores
from shared.clock import from_text, now, to_text
from shared.logs import Log
from shared.registry import erasures
from shared.registry.erasures import Erasure

METHODS = {
    "lost": "AES-256-GCM keys that were missing from the key store declared lost; read models built anew",
    **dict.fromkeys(
        ("customer", "retention"), "AES-256-GCM keys overwritten; files and rows deleted; read models built anew"
    ),
}
log = Log("privacy")


async def nothing_travels(stores: Stores, shown: Sequence[Erasure]) -> bool:
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


async def files_are_gone(stores: Stores, erasure: Erasure) -> bool:
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


async def wipe_before_files(stores: Stores, late: Sequence[Erasure]) -> None:
    """Files may be waited for a day: what was deleted from tables is not to lie in the databases' files so long."""
    await asyncio.to_thread(_wipe, stores, late)
    for erasure in late:
        erasure.details["wiped"] = True
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)


async def certify(stores: Stores, ended: Sequence[Erasure]) -> None:
    """Clear the databases' files, and sign for each what was destroyed."""
    await asyncio.to_thread(_wipe, stores, ended)
    for erasure in ended:
        at = now()
        certificate = signed(_body(erasure, at), stores.secret_key)
        await erasures.finish(stores.database, erasure.id, at, certificate)
        log.info("erasure_done", erasure_id=erasure.id)


async def forget_since(stores: Stores, wanted: Sequence[Erasure]) -> list[Erasure]:
    """What a sender wrote meanwhile goes too; return those of which that is so."""

    async def again(erasure: Erasure) -> bool:
        if erasure.kind != "lost":
            await asyncio.to_thread(lambda: forget(stores, erasure, find(stores, erasure)))
        return True

    return [each for each in wanted if await tried(stores.database, each, "forget", partial(again, each))]


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
