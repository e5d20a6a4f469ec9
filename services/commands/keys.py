"""Keys that are missing, whose content they sealed, and to declare them lost; to seal what is older than keys."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from typing import Any

from services.commands.erase import WAIT_SECONDS, finished
from services.house import House
from services.privacy import lost, lost_on_the_way
from services.privacy.lost_on_the_way import OnTheWay
from services.privacy.seal_old import seal_old
from services.terminal import WrongRequest, in_house, person, print_json, show, typed

COMMANDS = {"keys": "keys that are missing, and what is older than keys"}
WORD = "LOST"


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    inner = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = inner.add_parser("lost", help="whose content cannot be read; exit status 1 when there is any")
    listing.set_defaults(run=in_house(_list, keys_may_lack=True))
    declaring = inner.add_parser(
        "declare-lost", help="go on without the missing keys: what they sealed is shown as erased, with a certificate"
    )
    declaring.add_argument("--reason", default=lost.REASON, help="kept for good, so it must name nobody")
    declaring.add_argument("--whole-store", action="store_true", help="also when no key at all is there")
    declaring.add_argument("--yes", action="store_true", help="do not ask")
    declaring.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS", help="for the end (300)")
    declaring.set_defaults(run=in_house(_declare, keys_may_lack=True))

    sealing = inner.add_parser("seal-old", help="seal what was recorded before there were keys")
    sealing.set_defaults(run=in_house(_seal_old))


async def _seal_old(options: argparse.Namespace, house: House) -> None:
    done = await seal_old(house.database, house.keys, house.blobs)
    if options.json:
        print_json(asdict(done))
    else:
        print(f"sealed: {done.events} events, {done.raw_items} raw items, {done.files} files")
        if house.database.dialect == "postgres":
            print("PostgreSQL's files have events that were sealed, now or by a run before, in plain words until")
            print("VACUUM FULL stored_events; with Okno stopped")


async def _list(options: argparse.Namespace, house: House) -> int | None:
    found = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
    on_the_way = await lost_on_the_way.find(house)
    rows: list[dict[str, Any]] = [{"id": str(id_), "events": events} for id_, events in sorted(found.owners.items())]
    rows += [{"id": topic, "records": count} for topic, count in sorted(on_the_way.unread.items()) if count]
    show(options.json, rows, ("id", "events", "records"))
    return 1 if found.pages or on_the_way.any else None


async def _declare(options: argparse.Namespace, house: House) -> int | None:
    found = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
    on_the_way = await lost_on_the_way.find(house)
    is_any = found.pages or on_the_way.any
    if is_any and not options.yes and await asyncio.to_thread(_asked, found, on_the_way) != WORD:
        raise WrongRequest("not confirmed: nothing was declared lost")
    by = person()
    id_ = await lost.declare(house, found, on_the_way, options.reason, by, options.whole_store)
    request = await finished(house, id_, options.wait)
    if options.json:
        print_json(request.shown())
    else:
        travelling = len(on_the_way.wire) + len(on_the_way.letters)
        print(f"{len(found.pages)} pages of keys and {travelling} keys of what travels are declared lost,")
        print(f"certificate {id_}: {request.state}")
    return None if request.state == "done" else 1


def _asked(found: lost.Lost, on_the_way: OnTheWay) -> str:
    print(f"{found.events} events of {len(found.owners)} clients will be unreadable for good.")
    for topic, count in sorted(on_the_way.unread.items()):
        print(f"{count} records of {topic} that nobody has read will be passed over.")
    print("Where there is a backup of the key store, put that in its place instead.")
    return typed(f"Type {WORD} to go on without these keys: ")
