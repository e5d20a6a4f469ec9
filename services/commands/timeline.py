"""A customer's timeline, now or as it stood at a past moment."""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import Any, get_args
from uuid import UUID

from services.house import House
from services.inbox_api.timelines import Asked, entries
from services.terminal import in_house, moment, print_json, show
from shared.database.protocol import Transaction
from shared.domain import identity
from shared.domain.errors import NoSuchThing
from shared.event_store.routing import customer_of
from shared.phone_numbers import typed
from shared.read_models import customers
from shared.read_models.moment import By
from shared.read_models.timeline_pages import Page

COMMANDS = {"timeline": "show a customer's timeline"}
EVERYTHING = Page(limit=1_000_000)


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("customer", metavar="CUSTOMER|ADDRESS")
    parser.add_argument("--as-of", metavar="TIME", help="a moment such as 2026-11-21T14:05:00Z; without a zone: UTC")
    parser.add_argument(
        "--by", choices=get_args(By), default="known",
        help="known: as an operator saw it then (the default); happened: all that had happened by then, by the"
        " clocks of the channels, whenever we came to know of it",
    )  # fmt: skip
    parser.set_defaults(run=in_house(_run), begins=False)


async def _run(options: argparse.Namespace, house: House) -> None:
    at = moment("--as-of", options.as_of)
    customer_id = await house.database.read(partial(customer_named, wanted=options.customer))
    asked = Asked(by=options.by, as_of=at)
    found = await house.database.read(partial(entries, customer_id=customer_id, page=EVERYTHING, asked=asked))
    if options.json:
        print_json({"items": found, "next": None})
    else:
        columns = ("recorded_at", "kind", "direction", "channel", "author", "delivery", "text")
        people = await house.database.read(partial(_merged_people, found=found))
        show(False, [_row(entry, people) for entry in found], columns)


def customer_named(tx: Transaction, wanted: str) -> UUID:
    """Return the customer of an id or an address. Raises NoSuchThing."""
    try:
        customer_id = UUID(wanted)
        found = [customer_id] if customers.customer(tx, customer_id) else []
    except ValueError:
        spellings = dict.fromkeys((wanted, identity.email(wanted), identity.phone(wanted)))
        found = next(filter(None, (customer_of(tx, address) for address in spellings)), []) or _dialled(tx, wanted)
    if not found:
        raise NoSuchThing("no_such_customer", f"no customer {wanted!r}")
    if len(found) > 1:
        raise NoSuchThing("ambiguous", f"{wanted!r} belongs to several customers: {', '.join(map(str, found))}")
    return found[0]


def _dialled(tx: Transaction, wanted: str) -> list[UUID]:
    """Return whose number it is, without a country as people dial it where our channels are."""
    settings = [json.loads(text) for (text,) in tx.rows("SELECT settings FROM channels WHERE state <> 'removed'")]
    countries = sorted({each["country"] for each in settings if each.get("country")})
    numbers = {number for country in countries if (number := typed(wanted, country))}
    return [customer_id for number in sorted(numbers) for customer_id in customer_of(tx, number)]


def _merged_people(tx: Transaction, found: list[dict[str, Any]]) -> dict[str, str]:
    """Return what those are called of whom a timeline says that they are one, each by themselves."""
    ids = {entry[side] for entry in found if entry["kind"] == "merged" for side in ("customer", "into")}
    rows = tx.rows_in("SELECT id, name, address FROM customers WHERE id", sorted(ids))
    return {id_: f"{name} <{address}>" if name and address else name or address or id_ for id_, name, address in rows}


def _row(entry: dict[str, Any], people: dict[str, str]) -> dict[str, Any]:
    channel, delivery, call = entry.get("channel"), entry.get("delivery"), entry.get("call")
    words = f"call {call['state']}" if call else ""
    if entry["kind"] == "merged":
        words = " is one with ".join(people.get(entry[side], entry[side]) for side in ("customer", "into"))
    return {
        **entry,
        "channel": channel["name"] if channel else None,
        "author": entry["author"]["name"] or entry["author"]["address"] or entry["author"]["kind"],
        "delivery": delivery["state"] if delivery else None,
        "text": entry["text"] or words,
    }
