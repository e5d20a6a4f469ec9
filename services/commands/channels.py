"""Connect and look after channels: mailboxes, forms, telephone lines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services import reply_channels, setting_up
from services.house import House
from services.ingest.fetch_queue import FetchQueue
from services.ingest.reconcile import Reconciler, why_no_history
from services.reached import reached
from services.terminal import WrongRequest, in_house, moment, print_json, show
from shared.clock import now
from shared.connector import Channel, FetchDelayed, Kind, SetUp, kinds, load
from shared.database.protocol import Conflict
from shared.registry.channels import Registered, State, WrongChannel
from shared.registry.health import Health, health_of_channels
from shared.said import said
from shared.settings import Settings

COMMANDS = {"channels": "connect and look after channels"}
STATES: dict[str, State] = {"pause": "paused", "resume": "active", "remove": "removed"}


class _Parser(argparse.ArgumentParser):
    """Takes several settings behind one --set, and still names of channels behind those."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        return super().parse_known_args(None if args is None else _one_by_one(args), namespace)


def _one_by_one(words: Sequence[str]) -> list[str]:
    """Return `--set a=1 b=2` as `--set a=1 --set b=2`."""
    found: list[str] = []
    for word in words:
        behind_pair = found[-2:-1] == ["--set"] or (found[-1:] and found[-1].startswith("--set="))
        found += ["--set", word] if behind_pair and "=" in word and not word.startswith("-") else [word]
    return found


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION", parser_class=_Parser)
    actions.add_parser("kinds", help="what can be connected").set_defaults(run=_kinds)
    fields = actions.add_parser("fields", help="the settings of a kind")
    fields.add_argument("kind")
    fields.set_defaults(run=_fields)
    add = actions.add_parser("add", help="connect a channel")
    add.add_argument("kind")
    add.add_argument("name")
    add.set_defaults(run=in_house(_add))
    change = actions.add_parser("change", help="change settings; the others stay, and what waits is not lost")
    change.add_argument("channel", metavar="ID|NAME")
    change.set_defaults(run=in_house(_change))
    for action in (add, change):
        action.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting or several; repeatable"
        )
        action.add_argument("--no-check", action="store_true", help="do not ask the provider whether the settings work")
    actions.add_parser("list", help="all channels and how they fare").set_defaults(run=in_house(_list))
    check = actions.add_parser("check", help="is a channel in order?")
    check.add_argument("channel", metavar="ID|NAME")
    check.set_defaults(run=in_house(_check))
    renew = actions.add_parser("renew", help="set a channel up again: another consent, another webhook")
    renew.add_argument("channel", metavar="ID|NAME")
    renew.set_defaults(run=in_house(_renew))
    reconcile = actions.add_parser("reconcile", help="take in what the provider's history has and we may not have")
    reconcile.add_argument("channel", metavar="ID|NAME")
    reconcile.add_argument("--since", metavar="TIME", help="RFC 3339; a day ago if not given")
    reconcile.add_argument("--until", metavar="TIME", help="RFC 3339; now if not given")
    reconcile.set_defaults(run=in_house(_reconcile))
    for name in STATES:
        action = actions.add_parser(name, help=f"{name} a channel")
        action.add_argument("channel", metavar="ID|NAME")
        action.set_defaults(run=in_house(_set_state), state=STATES[name])


def _kinds(options: argparse.Namespace, _: Settings) -> None:
    rows = [
        {"kind": kind, "receives_by": (c := load(kind).capabilities).receives_by, "sends": c.sends} for kind in kinds()
    ]
    show(options.json, rows, ("kind", "receives_by", "sends"))


def _fields(options: argparse.Namespace, _: Settings) -> None:
    rows = [
        {"field": f.name, "default": f.default, "required": f.default is None, "secret": f.secret, "help": f.help}
        for f in _kind(options.kind).fields
    ]
    show(options.json, rows, ("field", "default", "required", "secret", "help"))


def _kind(name: str) -> Kind:
    try:
        return load(name)
    except LookupError as error:
        raise WrongRequest(str(error)) from error


async def _add(options: argparse.Namespace, house: House) -> None:
    settings = dict(_pair(text) for text in options.set)
    await _resolve_channel_names(house, settings)
    try:
        channel = await house.registry.add(options.kind, options.name, settings)
    except Conflict as error:
        raise WrongChannel(f"there is a channel {options.name!r} already") from error
    found = SetUp() if options.no_check else await setting_up.first(house, channel, quiet=options.json)
    address = await _address(house, channel)
    answer = {"id": str(channel.id), "kind": channel.kind, "name": channel.name, "address": address}
    if options.json:
        print_json({**answer, "facts": found.facts, "missing": found.missing})
        return
    print(channel.id)
    if address:
        print(f"it receives at {address}")
    _print(found)


async def _address(house: House, channel: Channel) -> str | None:
    """Return where the provider posts to; None for a channel that asks the provider itself."""
    config = load(channel.kind).module("config")
    by = config.CAPABILITIES.receives_by
    if by == "polling" or (by == "both" and channel.settings.get("mode") != "webhook"):
        return None
    return str(await reached(house, "ingest") + config.public_path(channel.id))


def _print(found: SetUp) -> None:
    for line in found.facts:
        print(line)
    for line in found.missing:
        print(f"still missing: {line}")


async def _renew(options: argparse.Namespace, house: House) -> None:
    """What goes wrong leaves the settings as they are."""
    channel = (await house.registry.find(options.channel)).channel
    _show(options, channel, await setting_up.again(house, channel, quiet=options.json))


async def _change(options: argparse.Namespace, house: House) -> None:
    """What goes wrong leaves the settings as they are."""
    channel = (await house.registry.find(options.channel)).channel
    settings = dict(_pair(text) for text in options.set)
    if not settings:
        raise WrongRequest("what is to be changed? Give --set KEY=VALUE")
    await _resolve_channel_names(house, settings)
    quiet, check = options.json, not options.no_check
    _show(options, channel, await setting_up.changed(house, channel, settings, quiet=quiet, check=check))


def _show(options: argparse.Namespace, channel: Channel, found: SetUp) -> None:
    if options.json:
        print_json({"id": str(channel.id), "name": channel.name, "facts": found.facts, "missing": found.missing})
    else:
        _print(found)


async def _resolve_channel_names(house: House, settings: dict[str, str]) -> None:
    """A setting that names another channel may be given by name; the id is what is kept."""
    if name := settings.get(reply_channels.SETTING):
        settings[reply_channels.SETTING] = reply_channels.mailbox(await house.registry.find(name))


async def _reconcile(options: argparse.Namespace, house: House) -> None:
    """Raises ConnectionError when the provider does not give its history now."""
    channel = (await house.registry.find(options.channel)).channel
    until = moment("--until", options.until) or now()
    since = moment("--since", options.since) or until - timedelta(days=1)
    if why := "--since is not before" if since >= until else why_no_history(channel):
        raise WrongRequest(why)
    transport = house.transport()
    await transport.start()
    try:
        reconciler = Reconciler(transport.publisher(), house.blobs, FetchQueue(house.database))
        count = await reconciler.all(channel, load(channel.kind), since, until)
    except FetchDelayed as error:
        raise ConnectionError(said(error)) from error
    finally:
        await transport.close()
    show(options.json, [{"id": str(channel.id), "name": channel.name, "told": count}], ("id", "name", "told"))


async def _list(options: argparse.Namespace, house: House) -> None:
    healths = await house.database.read(health_of_channels)
    nothing = Health("", None, None)
    rows = [_row(found, healths.get(str(found.channel.id), nothing)) for found in await house.registry.all()]
    show(options.json, rows, ("id", "kind", "name", "state", "lag", "last_received_at", "problem"))


async def _check(options: argparse.Namespace, house: House) -> int:
    """Exit status 1 when the channel's settings are wrong or it reports a problem."""
    found = await house.registry.find(options.channel)
    healths = await house.database.read(health_of_channels)
    health = healths.get(str(found.channel.id), Health("", None, None))
    row = _row(found, health)
    wrong = load(found.channel.kind).problems(found.channel.settings)
    unanswered = reply_channels.problems(found.channel, await house.registry.all())
    row["problem"] = "; ".join(filter(None, (*wrong, *unanswered, health.problem))) or None
    show(options.json, [row], ("id", "kind", "name", "state", "lag", "last_received_at", "problem"))
    return 1 if row["problem"] else 0


async def _set_state(options: argparse.Namespace, house: House) -> None:
    found = await house.registry.find(options.channel)
    await house.registry.set_state(found.channel.id, options.state)
    show(
        options.json,
        [{"id": str(found.channel.id), "name": found.channel.name, "state": options.state}],
        ("id", "state"),
    )


def _row(found: Registered, health: Health) -> dict[str, Any]:
    return {
        "id": str(found.channel.id),
        "kind": found.channel.kind,
        "name": found.channel.name,
        "state": found.state,
        "problem": health.problem or None,
        "lag": health.lag,
        "last_received_at": health.last_received_at,
    }


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise WrongChannel(f"--set wants KEY=VALUE, not {text!r}")
    return key.strip(), value
