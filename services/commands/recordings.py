"""Who has listened to the recordings of calls."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from services.house import House
from services.terminal import in_house, print_json
from shared.read_models import heard

COMMANDS = {"recordings": "show who has listened to recordings of calls"}
PAGE = 500


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("heard", help="who has listened to which recording, the last one first")
    listing.add_argument("--call", type=UUID, help="only recordings of this call: the id of its message")
    listing.add_argument("--limit", type=int, default=PAGE)
    listing.set_defaults(run=in_house(_heard))


async def _heard(options: argparse.Namespace, house: House) -> None:
    limit = max(1, options.limit)
    found = await house.database.read(partial(heard.page, message_id=options.call, before=None, limit=limit))
    if options.json:
        print_json({"items": found, "next": None})
        return
    for each in found:
        print(f"{each['at']}  {each['operator']['name']}  {each['name']}  call {each['message_id']}")
