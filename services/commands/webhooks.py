"""Send events to partners by signed webhooks, and see how that goes."""

from __future__ import annotations

import argparse

from services.house import House
from services.inbox_api.webhooks import checked_position, shown
from services.terminal import WrongRequest, in_house, number, print_json, show
from shared.event_store.log import head
from shared.event_store.shown import UnknownType, stored_names
from shared.registry.subscriptions import Subscription, WrongSubscription

COMMANDS = {"webhooks": "send events to partners"}
COLUMNS = ("id", "url", "types", "state", "behind", "failing_since", "reason")
LOG_COLUMNS = ("number", "at", "webhook_id", "events", "attempt", "status", "milliseconds", "problem", "answer")
SHOWN = 50


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="send events to a URL; prints the secret, once")
    add.add_argument("url")
    add.add_argument("--type", action="append", default=[], metavar="NAME", help="such as MessageReceived; else all")
    add.add_argument("--after", type=number, metavar="POSITION", help="begin after a position, 0: with all of history")
    add.set_defaults(run=in_house(_add))
    actions.add_parser("list", help="all of them and how they fare").set_defaults(run=in_house(_list))
    for name, help_ in (
        ("remove", "send no more, and forget the log"),
        ("pause", "send nothing for now"),
        ("resume", "go on where it stopped"),
        ("rewind", "send everything after a position again"),
        ("deliveries", "what was tried, the last first"),
    ):
        action = actions.add_parser(name, help=help_)
        action.add_argument("webhook", metavar="ID|URL")
        action.set_defaults(run=in_house(_refusing), action=name)
        if name == "rewind":
            action.add_argument("position", type=number, metavar="POSITION", help="0: from the beginning")
        if name == "deliveries":
            action.add_argument("--limit", type=number, default=SHOWN, metavar="N")


async def _add(options: argparse.Namespace, house: House) -> None:
    """Raises WrongRequest."""
    end = await house.database.read(head)
    try:
        stored_names(options.type)
        after = end if options.after is None else checked_position(options.after, end)
        added, secret = await house.subscriptions.add(options.url, options.type, after)
    except (UnknownType, WrongSubscription) as error:
        raise WrongRequest(str(error)) from error
    if options.json:
        print_json({**shown(added, end), "secret": secret})
    else:
        print(f"{added.id}\nThe partner checks the signatures with this secret, which is not shown again: {secret}")


async def _list(options: argparse.Namespace, house: House) -> None:
    await _show(options, house, await house.subscriptions.all())


async def _refusing(options: argparse.Namespace, house: House) -> None:
    """Raises WrongRequest."""
    try:
        await _act(options, house, await house.subscriptions.find(options.webhook))
    except WrongSubscription as error:
        raise WrongRequest(str(error)) from error


async def _act(options: argparse.Namespace, house: House, found: Subscription) -> None:
    match options.action:
        case "remove":
            await house.subscriptions.remove(found.id)
        case "pause":
            await house.subscriptions.pause(found.id)
        case "resume":
            await house.subscriptions.resume(found.id)
        case "rewind":
            position = checked_position(options.position, await house.database.read(head))
            await house.subscriptions.rewind(found.id, position)
        case "deliveries":
            show(options.json, await house.subscriptions.deliveries(found.id, None, max(1, options.limit)), LOG_COLUMNS)
            return
    left = await house.subscriptions.one(found.id)
    await _show(options, house, [left] if left else [])


async def _show(options: argparse.Namespace, house: House, subscriptions: list[Subscription]) -> None:
    end = await house.database.read(head)
    rows = [shown(each, end) for each in subscriptions]
    if not options.json:
        rows = [{**row, "types": ", ".join(row["types"]) or "all"} for row in rows]
    show(options.json, rows, COLUMNS)
