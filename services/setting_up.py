"""The dialogue that sets a channel up: its kind asks the provider; what goes wrong leaves everything as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from services.house import House
from services.reached import reached
from shared.connector import HERE, PACKAGE, Channel, SetUp, SetUpProblem, load
from shared.registry.channels import WrongChannel

ASKED_ANEW = {"oauth_refresh_token": ""}
"""What set_up must find empty to ask a person for it."""


async def first(house: House, channel: Channel, *, quiet: bool) -> SetUp:
    """Let the kind see whether the channel works and set up what the provider needs; a channel that cannot is not kept.

    Raises WrongChannel with what is wrong.
    """
    try:
        return await _ask(house, channel, quiet=quiet)
    except BaseException as error:
        await house.registry.set_state(channel.id, "removed")
        if isinstance(error, SetUpProblem):
            raise WrongChannel(str(error)) from error
        raise


async def again(house: House, channel: Channel, *, quiet: bool) -> SetUp:
    """Set a channel up as it is. Raises WrongChannel."""
    anew = {name: value for name, value in ASKED_ANEW.items() if name in channel.settings}
    asking = replace(channel, settings={**channel.settings, **anew})
    try:
        return await _ask(house, asking, quiet=quiet)
    except SetUpProblem as error:
        raise WrongChannel(str(error)) from error


async def changed(house: House, channel: Channel, settings: Mapping[str, str], *, quiet: bool, check: bool) -> SetUp:
    """Change settings, then set the channel up with them: a receiver of the old ones must not undo what is set up.

    Raises WrongChannel; the settings are then as they were.
    """
    before = {name: channel.settings[name] for name in settings if name in channel.settings}
    new = await house.registry.change(channel, settings)
    if not check:
        return SetUp()
    try:
        return await _ask(house, new, quiet=quiet)
    except BaseException as error:
        await house.registry.change(channel, before)
        if isinstance(error, SetUpProblem):
            raise WrongChannel(str(error)) from error
        raise


async def _ask(house: House, channel: Channel, *, quiet: bool) -> SetUp:
    """Return what the kind's own set-up found, its settings stored. Raises SetUpProblem, WrongChannel.

    `quiet`: what it says on the way (a page to open) goes to stderr, so that stdout is JSON only.
    """
    try:
        module = load(channel.kind).module("setup")
    except ModuleNotFoundError as error:
        if error.name != f"{PACKAGE}.{channel.kind}.setup":
            raise
        return SetUp()
    say: Callable[[str], None] = (lambda line: print(line, file=sys.stderr)) if quiet else print
    found: SetUp = await module.set_up(channel, house.settings.public_url, say)
    if found.settings:
        await house.registry.change(channel, found.settings)
    here = await reached(house, "ingest")
    return replace(found, facts=tuple(line.replace(HERE, here) for line in found.facts))
