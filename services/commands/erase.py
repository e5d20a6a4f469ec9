"""Erase a customer for good, list erasures with their certificates, and check a certificate."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from functools import partial
from pathlib import Path
from uuid import UUID

from services.commands.timeline import customer_named
from services.house import House, alone
from services.privacy.certificate import is_genuine
from services.privacy.destroying import members
from services.privacy.job import carry_out
from services.privacy.main import stores_of
from services.terminal import WrongRequest, in_house, person, print_json, show, typed
from shared.registry import erasures
from shared.settings import WrongSettings

COMMANDS = {"erase": "erase a customer for good", "erasures": "what was erased, with certificates"}
WAIT_SECONDS = 300.0
LOOK_SECONDS = 0.5


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(begins=False)
    if name == "erasures":
        inner = parser.add_subparsers(required=True, metavar="COMMAND")
        inner.add_parser("list", help="all of them and how far they are").set_defaults(run=in_house(_list))
        showing = inner.add_parser("show", help="one of them, with its certificate")
        showing.add_argument("id", metavar="ID")
        showing.set_defaults(run=in_house(_show))
        checking = inner.add_parser("verify", help="is a certificate one of ours, and unchanged?")
        checking.add_argument("file", type=Path, help="a certificate as `show --json` prints it")
        checking.set_defaults(run=in_house(_verify))
        return
    parser.add_argument("customer", metavar="CUSTOMER|ADDRESS")
    parser.add_argument("--reason", default="", help="kept for good, so it must name nobody")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS", help="for the end (300)")
    parser.set_defaults(run=in_house(_erase))


async def _erase(options: argparse.Namespace, house: House) -> int | None:
    customer_id = await house.database.read(partial(customer_named, wanted=options.customer))
    if not options.yes and await asyncio.to_thread(_asked, customer_id) != str(customer_id):
        raise WrongRequest("not confirmed: nothing was erased")
    by = person()
    whole = await house.database.read(partial(members, customer_id=customer_id))
    job = partial(erasures.request, customer_id=customer_id, reason=options.reason, by=by, members=sorted(whole))
    id_ = await house.database.write(job)
    erasure = await finished(house, id_, options.wait)
    if options.json:
        print_json(erasure.shown())
    else:
        print(f"erasure {id_}: {erasure.state}")
        if problem := erasure.shown()["problem"]:
            print(f"it cannot go on, and is tried again: {problem}")
        if files := _files_left(erasure):
            print(f"nothing is readable any more; {files} files that somebody else may be sending go a little later")
    return None if _is_over(erasure) else 1


def _asked(customer_id: UUID) -> str:
    return typed(f"Erase {customer_id} for good? Type the id to confirm: ")


async def finished(house: House, id_: UUID, seconds: float) -> erasures.Erasure:
    """Return an erasure once it is done or the time is over; where no Okno runs, carry it out here."""
    deadline = time.monotonic() + seconds
    if not await carry_out_here(house, seconds):
        while not _is_over(await _one(house, id_)) and time.monotonic() < deadline:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(LOOK_SECONDS)
    return await _one(house, id_)


def _files_left(erasure: erasures.Erasure) -> int:
    """Return how many files wait to be looked at again, once that is all: nothing opens them any more."""
    return len(erasure.details.get("files", ())) if erasure.state == "shown" and "wiped" in erasure.details else 0


def _is_over(erasure: erasures.Erasure) -> bool:
    """Return whether nothing can be read any more and no more is to be waited for here."""
    return erasure.state == "done" or _files_left(erasure) > 0


async def carry_out_here(house: House, seconds: float = WAIT_SECONDS) -> bool:
    """Carry out what was asked for; False where a running Okno does."""
    if house.database.dialect != "sqlite":
        return False
    try:
        with alone(house.settings):
            await _carry_out(house, time.monotonic() + seconds)
    except WrongSettings:
        return False
    return True


async def _carry_out(house: House, deadline: float) -> None:
    transport = house.transport()
    await transport.start()
    try:
        stores = stores_of(house, transport)
        while await carry_out(stores) and time.monotonic() < deadline and not await _only_files_wait(house):  # noqa: ASYNC110 (it waits for the clock)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await transport.close()


async def _only_files_wait(house: House) -> bool:
    return all(map(_is_over, await house.database.read(erasures.unfinished)))


async def _one(house: House, id_: UUID) -> erasures.Erasure:
    found = await house.database.read(partial(erasures.one, id_=id_))
    if found is None:
        raise WrongRequest(f"there is no erasure {id_}")
    return found


async def _list(options: argparse.Namespace, house: House) -> None:
    found = await house.database.read(erasures.everything)
    columns = ("id", "kind", "subject_id", "state", "requested_at", "requested_by", "finished_at", "reason", "problem")
    show(options.json, [each.shown() for each in found], columns)


async def _show(options: argparse.Namespace, house: House) -> None:
    try:
        id_ = UUID(options.id)
    except ValueError:
        raise WrongRequest(f"{options.id!r} is no id of an erasure: see `okno erasures list`") from None
    found = await _one(house, id_)
    print_json(found.certificate or found.shown())


async def _verify(options: argparse.Namespace, house: House) -> int | None:
    try:
        certificate = json.loads(options.file.read_text())
    except ValueError:
        raise WrongRequest(f"{options.file} is no JSON") from None
    genuine = isinstance(certificate, dict) and is_genuine(certificate)
    print("genuine" if genuine else "not genuine")
    return None if genuine else 1
