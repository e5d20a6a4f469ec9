"""The ledger: is everything that came still here, has every reply a fate? Exit status 1 when anything is missing."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from services.house import House
from services.outbound.told import told
from services.progress import shown_events
from services.projector import unrecorded
from services.terminal import WrongRequest, come_last, in_house, moment, number, print_json, show
from shared.audit.chain_memory import verify_and_remember
from shared.audit.channels import rows_of
from shared.audit.ledger import Ledger
from shared.audit.walk import How, Span, audit
from shared.clock import now
from shared.contracts import topics
from shared.event_store import chain, fitting_keys
from shared.event_store.chain_verify import Head, Verified
from shared.transport.look import look
from shared.transport.sealed import opening

COMMANDS = {"audit": "prove that nothing is missing and nothing was changed"}
_REPLIES = {f"replies_{name}": name for name in ("asked", "sent", "failed", "unknown", "sending")}
COLUMNS = {
    **{name: name for name in ("name", "kind", "state", "received", "stored", "shown", "quarantined", "on_the_way")},
    **_REPLIES, "lag": "lag", "problem": "problem",
}  # fmt: skip
"""How people read it, and its name in a row."""
LEAVE_BY = "replies stand at the channel they leave by: those to a form at the mailbox that answers it"
ERASED = "records of the intake could not be compared any more: an erasure destroyed the key they were sealed with"


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", help="only what was recorded from then on; without a zone: UTC")
    parser.add_argument("--until", metavar="TIME", help="only what was recorded before")
    parser.add_argument("--channel", metavar="ID|NAME", help="only this channel")
    parser.add_argument("--minutes", type=number, default=15, help="how long something may be under way (15)")
    parser.add_argument("--quick", action="store_true", help="do not read raw bytes and files, only look for them")
    parser.add_argument("--verify", action="store_true", help="compare the log with its hash chain instead")
    parser.add_argument("--against", metavar="POSITION:HASH", help="with --verify: a head that was noted before")
    parser.add_argument("--head", action="store_true", help="print the chain's head, to be noted elsewhere")
    parser.set_defaults(run=in_house(_run, keys_may_lack=True), begins=False)


async def _run(options: argparse.Namespace, house: House) -> int:
    come_last()
    if options.head:
        return await _head(options, house)
    if options.verify:
        return await _verify(options, house)
    if options.against:
        raise WrongRequest("--against goes with --verify")
    return await _audit(options, house)


# --- the chain --------------------------------------------------------------------------------------------


async def _head(options: argparse.Namespace, house: House) -> int:
    link = await house.database.read(chain.last_link)
    head = Head(link.until if link.number else 0, link.hash)
    if options.json:
        print_json({"head": str(head), "linked_at": link.linked_at or None})
    else:
        print(head)
    return 0


async def _verify(options: argparse.Namespace, house: House) -> int:
    with shown_events() as progress:
        verified = await verify_and_remember(house.database, "okno audit", _noted(options), progress)
    row = _verified(verified)
    if options.json:
        print_json(row)
    elif verified.difference is not None:
        print(f"NOT AS IT WAS: {verified.difference.words} (link {verified.difference.link} of the chain)")
    else:
        print(f"{verified.events} events are as they were recorded; head {verified.head}")
    if verified.resealed and not options.json:
        print(f"{verified.resealed} of them were sealed anew by erasures, as OKNO_SECRET_KEY vouches")
    if verified.unlinked and not options.json:
        print(f"{verified.unlinked} events at the end are not in the chain yet")
    return 0 if verified.difference is None else 1


def _noted(options: argparse.Namespace) -> Head | None:
    try:
        return Head.parse(options.against) if options.against else None
    except ValueError as error:
        raise WrongRequest(f"--against wants POSITION:HASH as `okno audit --head` prints it: {error}") from error


def _verified(verified: Verified) -> dict[str, Any]:
    found = verified.difference
    difference = found and {
        "what": found.what, "position": found.position, "link": found.link, "words": found.words
    }  # fmt: skip
    return {
        "verified": found is None,
        "events": verified.events,
        "links": verified.links,
        "head": str(verified.head),
        "unlinked": verified.unlinked,
        "resealed": verified.resealed,
        "difference": difference,
    }


# --- the ledger -------------------------------------------------------------------------------------------


async def _audit(options: argparse.Namespace, house: House) -> int:
    since = moment("--since", options.since)
    until = moment("--until", options.until)
    if since and until and since >= until:
        raise WrongRequest("--since must be before --until")
    await house.database.read(partial(fitting_keys.refuse_foreign, keys=house.keys))
    only = (await house.registry.find(options.channel)).channel.id if options.channel else None
    at, patience = now(), _patience(options.minutes)
    with shown_events() as progress:
        how = How(patience, read_bytes=not options.quick, describe=told, progress=progress)
        ledger = await audit(house.database, house.blobs, Span(since, until), at, how)
    if until is None:
        await _compare_transport(house, ledger, since, at, patience)
    rows = await house.database.read(lambda tx: rows_of(tx, ledger))
    return _answer(options, _of_channel(ledger, only), [row for row in rows if only in (None, UUID(row["id"]))])


def _patience(minutes: int) -> timedelta:
    if minutes < 0:
        raise WrongRequest("--minutes cannot be negative")
    try:
        return timedelta(minutes=minutes)
    except OverflowError as error:
        raise WrongRequest(f"--minutes is too large: {minutes}") from error


async def _compare_transport(
    house: House, ledger: Ledger, since: datetime | None, at: datetime, patience: timedelta
) -> None:
    letters = await unrecorded.buried(look(house.settings, house.database, topics.DEAD_LETTERS, since))
    sealed = look(house.settings, house.database, topics.INBOUND, since)
    records = opening(sealed, house.wire_keys, lambda record: ledger.pass_over())
    await unrecorded.compare(house.database, house.store, records, letters, ledger, at, patience)


def _of_channel(ledger: Ledger, only: UUID | None) -> Ledger:
    """What belongs to no channel (a gap in a stream) is not asked for where one channel is."""
    if only is None:
        return ledger
    holes = [hole for hole in ledger.holes if hole.channel_id == only]
    return replace(ledger, holes=holes, kinds=type(ledger.kinds)(hole.kind for hole in holes))


def _answer(options: argparse.Namespace, ledger: Ledger, rows: list[dict[str, Any]]) -> int:
    names = {row["id"]: row["name"] for row in rows}
    holes = [{**hole.shown(), "channel": names.get(str(hole.channel_id))} for hole in ledger.holes]
    if options.json:
        print_json({"complete": ledger.complete, "events": ledger.events, "position": ledger.position,
                    "channels": rows, "holes": holes, "holes_by_kind": dict(ledger.kinds),
                    "erased_records": ledger.erased_records})  # fmt: skip
        return 0 if ledger.complete else 1
    show(False, [{said: row[name] for said, name in COLUMNS.items()} for row in rows], tuple(COLUMNS))
    if any(row["kind"] == "web_form" for row in rows):
        print(LEAVE_BY)
    if ledger.erased_records:
        print(f"{ledger.erased_records} {ERASED}")
    if ledger.complete:
        print(f"nothing is missing in {ledger.events} events")
        return 0
    print()
    show(False, holes, ("at", "kind", "channel", "what", "done"))
    missing = sum(ledger.kinds.values())
    print(f"{missing} holes" + (f", the first {len(holes)} of them above" if missing > len(holes) else ""))
    sys.stdout.flush()
    return 1
