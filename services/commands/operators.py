"""Operators and their API tokens."""

from __future__ import annotations

import argparse

from services.house import House
from services.terminal import in_house, print_json
from shared.registry.operators import ROLES, Operators

COMMANDS = {"operators": "add operators", "tokens": "create API tokens"}


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    if name == "operators":
        add = actions.add_parser("add", help="add an operator; prints a one-time link to set the password")
        add.add_argument("email")
        add.add_argument("--role", choices=ROLES, default="operator")
        add.add_argument("--name", default="")
        add.set_defaults(run=in_house(_add))
    else:
        create = actions.add_parser("create", help="print a new API token of an operator")
        create.add_argument("email")
        create.set_defaults(run=in_house(_create_token))


async def _add(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.add(options.email, options.role, options.name)
    token = await operators.create_token(operator.id, "setup")
    link = f"{house.settings.public_url or 'http://127.0.0.1:8000'}/setup?token={token}"
    if options.json:
        print_json({"id": str(operator.id), "email": operator.email, "role": operator.role, "setup": link})
    else:
        print(f"{operator.email} is {operator.role}; the password is set at (works once) {link}")


async def _create_token(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.find(options.email)
    token = await operators.create_token(operator.id, "api")
    if options.json:
        print_json({"email": operator.email, "token": token})
    else:
        print(token)
