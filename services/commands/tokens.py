"""API tokens of operators."""

from __future__ import annotations

import argparse

from services.house import House
from services.terminal import in_house, print_json
from shared.registry.operators import Operators

COMMANDS = {"tokens": "create API tokens"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="print a new API token of an operator")
    create.add_argument("email")
    create.set_defaults(run=in_house(_create_token))


async def _create_token(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.find(options.email)
    token = await operators.create_token(operator.id, "api")
    if options.json:
        print_json({"email": operator.email, "token": token})
    else:
        print(token)
