"""How long content is kept: rules by channel, and holds that keep a customer or a channel from being erased."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from services.commands.erase import carry_out_here
from services.commands.timeline import customer_named
from services.house import House
from services.privacy import retention
from services.terminal import WrongRequest, in_house, number, person, print_json, show
from shared.registry import erasures

COMMANDS = {"retention": "how long content is kept, by channel; holds"}
RULE = ("channel_id", "days", "set_by", "set_at", "done_until")
HOLD = ("id", "kind", "subject_id", "reason", "set_by", "set_at", "released_by", "released_at")


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    inner = parser.add_subparsers(required=True, metavar="COMMAND")
    setting = inner.add_parser("set", help="keep what comes by a channel for so many days, and up to a week more")
    setting.add_argument("channel", metavar="CHANNEL")
    setting.add_argument("--days", type=number, required=True)
    setting.set_defaults(run=in_house(_set))
    removing = inner.add_parser("remove", help="keep it for ever")
    removing.add_argument("channel", metavar="CHANNEL")
    removing.set_defaults(run=in_house(_remove))
    inner.add_parser("list", help="the rules").set_defaults(run=in_house(_list))
    inner.add_parser("run", help="apply the rules now").set_defaults(run=in_house(_apply))
    holding = inner.add_parser("hold", help="erase nothing of a customer or a channel until it is released")
    which = holding.add_mutually_exclusive_group(required=True)
    which.add_argument("--customer", metavar="CUSTOMER|ADDRESS")
    which.add_argument("--channel", metavar="CHANNEL")
    holding.add_argument("--reason", required=True)
    holding.set_defaults(run=in_house(_hold))
    inner.add_parser("holds", help="every hold there is or was").set_defaults(run=in_house(_holds))
    releasing = inner.add_parser("release", help="end a hold")
    releasing.add_argument("id", metavar="HOLD")
    releasing.set_defaults(run=in_house(_release))


async def _set(options: argparse.Namespace, house: House) -> None:
    channel = (await house.registry.find(options.channel)).channel
    await house.database.write(partial(erasures.set_rule, channel_id=channel.id, days=options.days, by=person()))
    await _list(options, house)


async def _remove(options: argparse.Namespace, house: House) -> None:
    channel = (await house.registry.find(options.channel)).channel
    await house.database.write(partial(erasures.remove_rule, channel_id=channel.id))
    await _list(options, house)


async def _list(options: argparse.Namespace, house: House) -> None:
    show(options.json, await house.database.read(erasures.rules), RULE)


async def _apply(options: argparse.Namespace, house: House) -> None:
    made = await house.database.write(retention.due)
    if made:
        await carry_out_here(house)
    found = [await house.database.read(partial(erasures.one, id_=id_)) for id_ in made]
    rows = [each.shown() for each in found if each]
    show(options.json, rows, ("id", "subject_id", "until", "state", "reason"))


async def _hold(options: argparse.Namespace, house: House) -> None:
    if options.customer:
        kind, subject_id = "customer", await house.database.read(partial(customer_named, wanted=options.customer))
    else:
        kind, subject_id = "channel", (await house.registry.find(options.channel)).channel.id
    job = partial(erasures.hold, kind=kind, subject_id=subject_id, reason=options.reason, by=person())
    id_ = await house.database.write(job)
    print_json({"id": str(id_)}) if options.json else print(id_)


async def _holds(options: argparse.Namespace, house: House) -> None:
    show(options.json, await house.database.read(erasures.holds), HOLD)


async def _release(options: argparse.Namespace, house: House) -> None:
    try:
        id_ = UUID(options.id)
    except ValueError:
        raise WrongRequest(f"{options.id!r} is no id of a hold: see `okno retention holds`") from None
    await house.database.write(partial(erasures.release, id_=id_, by=person()))
    await _holds(options, house)
