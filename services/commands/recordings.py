"""Who has listened to the recordings of calls."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from services.house import House
from services.terminal import WrongRequest, in_house, number, print_json
from shared.read_models import heard

COMMANDS = {"recordings": "show who has listened to recordings of calls"}
PAGE = 500


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("heard", help="who has listened to which recording, the last one first")
    listing.add_argument("--call", type=UUID, help="only recordings of this call: the id of its message")
    listing.add_argument("--limit", type=number, default=PAGE)
    listing.add_argument("--cursor", type=number, metavar="NEXT", help="go on where the list before ended: its `next`")
    listing.set_defaults(run=in_house(_heard), begins=False)


async def _heard(options: argparse.Namespace, house: House) -> None:
    """Raises WrongRequest."""
    limit, before = options.limit, options.cursor
    if limit < 1:
        raise WrongRequest("--limit wants a number from 1 on")
    found = await house.database.read(partial(heard.page, message_id=options.call, before=before, limit=limit + 1))
    following = str(found[limit - 1]["position"]) if len(found) > limit else None
    if options.json:
        print_json({"items": found[:limit], "next": following})
        return
    for each in found[:limit]:
        print(f"{each['at']}  {each['operator']['name']}  {each['name']}  call {each['message_id']}")
    if following is not None:
        print(f"there is more: --cursor {following}")
