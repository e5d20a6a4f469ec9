"""Customers who are one person: merge, un-merge, what is suggested, and whether plus-addresses are one mailbox."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any
from uuid import UUID

from services.house import House
from services.terminal import in_house, person, print_json, show
from shared.clock import now
from shared.database.protocol import Transaction
from shared.domain.events import Actor
from shared.event_store import merging
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.read_models import suggestions
from shared.registry.business import plus_addresses, set_plus_addresses

COMMANDS = {"identities": "merge and un-merge customers, list suggestions, decide on plus-addresses"}
MOST = 1000


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    merge = actions.add_parser("merge", help="show a customer as one with another, who stands for both")
    merge.add_argument("customer", type=UUID)
    merge.add_argument("into", type=UUID)
    merge.set_defaults(run=in_house(_merge))
    unmerge = actions.add_parser("unmerge", help="take a customer out of the group they were merged into")
    unmerge.add_argument("customer", type=UUID)
    unmerge.set_defaults(run=in_house(_unmerge))
    actions.add_parser("suggestions", help="who may be one, and why").set_defaults(run=in_house(_suggestions))
    plus = actions.add_parser("plus-addresses", help="whether anna+shop@example.com is anna@example.com")
    plus.add_argument("rule", choices=("apart", "same"), nargs="?")
    plus.set_defaults(run=in_house(_plus_addresses))


async def _merge(options: argparse.Namespace, house: House) -> None:
    def decide(session: Session, tx: Transaction) -> None:
        merging.merge(session, tx, options.customer, options.into, _about())

    await house.store.record(decide)
    _say(options, f"{options.customer} is shown as one with {options.into}")


async def _unmerge(options: argparse.Namespace, house: House) -> None:
    def decide(session: Session, tx: Transaction) -> None:
        merging.unmerge(session, tx, options.customer, options.customer, _about())

    await house.store.record(decide)
    _say(options, f"{options.customer} is shown alone again")


async def _suggestions(options: argparse.Namespace, house: House) -> None:
    found = await house.database.read(partial(suggestions.page, before=None, limit=MOST))
    rows = found if options.json else [_row(suggestion) for suggestion in found]
    show(options.json, rows, ("id", "customer", "other", "reasons"))


async def _plus_addresses(options: argparse.Namespace, house: House) -> None:
    if options.rule:
        await house.database.write(partial(set_plus_addresses, value=options.rule))
    rule = await house.database.read(plus_addresses)
    print_json({"plus_addresses": rule}) if options.json else print(rule)


def _row(suggestion: dict[str, Any]) -> dict[str, str]:
    reasons = ", ".join(f"{reason['evidence']} {reason['address']}" for reason in suggestion["reasons"])
    people = {side: suggestion[side]["name"] or suggestion[side]["address"] for side in ("customer", "other")}
    return {"id": suggestion["id"], **people, "reasons": reasons}


def _say(options: argparse.Namespace, text: str) -> None:
    print_json({"customer": str(options.customer)}) if options.json else print(text)


def _about() -> About:
    return About(now(), Actor("system", "", person()))
