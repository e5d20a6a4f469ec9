"""Operators: who they are, where they are rung, what stands below their mails."""

from __future__ import annotations

import argparse
from uuid import UUID

from services.house import House
from services.reached import reached
from services.terminal import in_house, print_json
from shared.registry.operators import ROLES, Operators
from shared.registry.signatures import Signatures
from shared.registry.team import Member, Team
from shared.registry.telephones import Telephones, telephone_of

COMMANDS = {"operators": "add, list and lock operators, renew their links, set roles, telephones and signatures"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add an operator; prints a one-time link to set the password")
    add.add_argument("email")
    add.add_argument("--role", choices=ROLES, default="operator")
    add.add_argument("--name", default="")
    add.add_argument("--telephone", default="", help="where click to call rings: a number or an extension")
    add.set_defaults(run=in_house(_add))
    link = actions.add_parser("link", help="print a new one-time link for an operator to set a password")
    link.add_argument("email")
    link.set_defaults(run=in_house(_link))
    lock = actions.add_parser("lock", help="let an operator in no more: password, sessions, tokens and links are void")
    lock.add_argument("email")
    lock.set_defaults(run=in_house(_lock))
    role = actions.add_parser("role", help="give an operator another role")
    role.add_argument("email")
    role.add_argument("role", choices=ROLES)
    role.set_defaults(run=in_house(_role))
    actions.add_parser("list", help="show all, and who can sign in").set_defaults(run=in_house(_list))
    telephone = actions.add_parser("telephone", help="set where click to call rings an operator")
    telephone.add_argument("email")
    telephone.add_argument("telephone", help="a number or an extension of the PBX; empty: none")
    telephone.set_defaults(run=in_house(_telephone))
    signature = actions.add_parser("signature", help="set what an operator has below their mails, or show it")
    signature.add_argument("email")
    signature.add_argument(
        "signature",
        nargs="?",
        help="may name {operator}, {organisation}, {channel} and {address}; \\n is a new line; empty: none",
    )
    signature.set_defaults(run=in_house(_signature))


async def _add(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    if options.telephone:
        telephone_of(options.telephone)
    operator = await operators.add(options.email, options.role, options.name)
    if options.telephone:
        await Telephones(house.database).keep(operator.id, options.telephone)
    link = await _new_link(operators, operator.id, house)
    if options.json:
        print_json({"id": str(operator.id), "email": operator.email, "role": operator.role, "setup": link})
    else:
        print(f"{operator.email} is {operator.role}; the password is set at (works once) {link}")


async def _link(options: argparse.Namespace, house: House) -> None:
    operators = Operators(house.database)
    operator = await operators.find(options.email)
    link = await _new_link(operators, operator.id, house)
    if options.json:
        print_json({"email": operator.email, "setup": link})
    else:
        print(f"{operator.email} sets a password at (works once, signs out whoever is in) {link}")


async def _lock(options: argparse.Namespace, house: House) -> None:
    operator = await Operators(house.database).find(options.email)
    await Team(house.database).lock(operator.id)
    if options.json:
        print_json({"email": operator.email, "locked": True})
    else:
        print(f"{operator.email} is locked until `okno operators link`; what is assigned to them stays theirs")


async def _role(options: argparse.Namespace, house: House) -> None:
    operator = await Operators(house.database).find(options.email)
    await Team(house.database).set_role(operator.id, options.role)
    if options.json:
        print_json({"email": operator.email, "role": options.role})
    else:
        print(f"{operator.email} is {options.role} from now on")


async def _list(options: argparse.Namespace, house: House) -> None:
    members = await Team(house.database).all()
    if options.json:
        print_json({"items": [_item(member) for member in members]})
        return
    for member in members:
        operator, marked = member.operator, "" if member.access == "active" else f"  ({member.access})"
        print(f"{operator.email}  {operator.role}  {operator.name}{marked}")


def _item(member: Member) -> dict[str, object]:
    return {
        "id": str(member.operator.id),
        "email": member.operator.email,
        "name": member.operator.name,
        "role": member.operator.role,
        "access": member.access,
        "can_sign_in": member.access == "active",
        "signed_in_at": member.signed_in_at,
    }


async def _new_link(operators: Operators, operator_id: UUID, house: House) -> str:
    token = await operators.create_token(operator_id, "setup")
    return f"{await reached(house, 'inbox-api')}/setup?token={token}"


async def _telephone(options: argparse.Namespace, house: House) -> None:
    operator = await Operators(house.database).find(options.email)
    kept = await Telephones(house.database).keep(operator.id, options.telephone)
    if options.json:
        print_json({"email": operator.email, "telephone": kept})
    else:
        print(f"{operator.email} is rung at {kept}" if kept else f"{operator.email} has no telephone")


async def _signature(options: argparse.Namespace, house: House) -> None:
    operator = await Operators(house.database).find(options.email)
    signatures = Signatures(house.database)
    if options.signature is not None:
        await signatures.keep(operator.id, options.signature.replace("\\n", "\n"))
    kept = await signatures.of(operator.id)
    if options.json:
        print_json({"email": operator.email, "signature": kept})
    else:
        print(kept or f"{operator.email} has no signature: the mailbox's own is used")
