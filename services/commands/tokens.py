"""API tokens of operators."""

from __future__ import annotations

import argparse

from services.house import House
from services.terminal import in_house, print_json
from shared.registry.operators import Operators

COMMANDS = {"tokens": "create API tokens, or make those of an operator void"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="print a new API token of an operator")
    create.add_argument("email")
    create.set_defaults(run=in_house(_create_token))
    revoke = actions.add_parser("revoke", help="make all API tokens, sessions and links of an operator void")
    revoke.add_argument("email")
    revoke.set_defaults(run=in_house(_revoke))


async def _create_token(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.find(options.email)
    token = await operators.create_token(operator.id, "api")
    if options.json:
        print_json({"email": operator.email, "token": token})
    else:
        print(token)


async def _revoke(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.find(options.email)
    revoked = await operators.revoke_all(operator.id)
    if options.json:
        print_json({"email": operator.email, "revoked": revoked})
    else:
        print(f"{operator.email}: {revoked} tokens, sessions and links are void; a password that was set stays")
