"""Starts services: all four in one process for `okno up`, or one of them for the cluster."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import orjson

from services import parts
from services.house import House, alone, open_house
from services.serve import Part, bind, run_loop, serve
from shared.database.protocol import DatabaseUnavailable
from shared.owner_only import make_folder
from shared.registry import restoring
from shared.registry.listening import Listening, reached_at, url_of
from shared.registry.operators import FIRST_ADMIN, Operators, first_setup_token
from shared.settings import Settings, WrongSettings

EVERYTHING = tuple(parts.ALL)
LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """What to start and where to listen."""

    services: Sequence[str]
    host: str
    port: int
    demo: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """A one-time link for the first operator, while nobody has a password; `email` is whose it is."""

    token: str
    email: str


def start(settings: Settings, wanted: Start) -> None:
    """Run until a signal comes. Raises WrongSettings."""
    if settings.database_url.startswith("sqlite") and tuple(wanted.services) != EVERYTHING:
        raise WrongSettings("one service alone needs PostgreSQL (OKNO_DATABASE_URL); `okno up` runs all four on SQLite")
    _refuse_blobs(Path(settings.blobs))
    with ExitStack() as stack:
        if settings.database_url.startswith("sqlite"):
            stack.enter_context(alone(settings))
        listening = bind(wanted.host, wanted.port)
        host, port = listening.getsockname()[:2]
        is_waited_for = not {"inbox-api", "ingest"}.isdisjoint(wanted.services)
        run_loop(_main(settings, wanted, listening, url_of(host, port)), is_waited_for=is_waited_for)


def _refuse_blobs(folder: Path) -> None:
    """What is large is kept there before it is confirmed: found out later, every such message would wait."""
    try:
        make_folder(folder)
        TemporaryFile(dir=folder).close()  # nothing is written: a disk that is full is waited for
    except OSError as error:
        why = error.strerror or str(error)
        raise WrongSettings(f"OKNO_BLOBS wants a folder that can be written to, not {folder}: {why}") from error


async def _main(settings: Settings, wanted: Start, listening: socket.socket, address: str) -> None:
    house = open_house(settings)
    transport = house.transport()
    await transport.start()
    try:
        chosen = [parts.ALL[name](house, transport) for name in wanted.services]
        if house.database.dialect == "postgres":
            chosen.append(_beside_a_restore(house))
        if wanted.demo:
            chosen.append(_demo(house, reached_at(address)))
        setup = await _first_setup(house) if "inbox-api" in wanted.services else None
        await Listening(house.database).note(wanted.services, settings.public_url or address)
        announced = settings.public_url or reached_at(address)
        await serve(house, chosen, listening, _announcement(wanted, announced, setup))
    finally:
        await transport.close()
        await house.close()


async def _first_setup(house: House) -> Setup | None:
    token = await first_setup_token(house.database)
    whose = await Operators(house.database).of_token(token, ("setup",)) if token else None
    return Setup(token, whose.email) if token and whose else None


def _announcement(wanted: Start, address: str, first: Setup | None) -> Callable[[], None]:
    """Return what prints where to go; the setup link works once, and only until somebody has a password."""
    setup = f"{address}/setup?token={first.token}" if first else None
    demo = f"{address}/demo" if wanted.demo else None
    whose = first.email if first and first.email != FIRST_ADMIN else None
    if wanted.as_json:
        line = orjson.dumps({"address": address, "setup": setup, "setup_for": whose, "demo": demo}).decode()
        return lambda: print(line, flush=True)
    lines = [f"Okno: {address}"]
    lines += [f"No operator has a password yet. {_setting_up(whose)}: {setup}"] if setup else []
    lines += [f"Demo: {demo}"] if demo else []
    return lambda: print("\n".join(lines), flush=True)


def _setting_up(whose: str | None) -> str:
    if whose is None:
        return "The first one, an admin, gives an address and a password here (this link works once)"
    return f"{whose}, an admin, sets one here (this link works once, and earlier ones no more)"


def _beside_a_restore(house: House) -> Part:
    """Ends the process where a restore began when it had just looked and could not be seen yet: on another machine.

    Whoever listens is seen by a restore, and listeners are woken once they can be; a restore begins before it looks.
    """

    async def run() -> None:
        listener = house.database.listen(restoring.TOPIC)
        while True:
            await listener.wait(LOOK_SECONDS)
            with suppress(DatabaseUnavailable):
                await house.database.read(restoring.refuse_unfinished)

    async def ready() -> str | None:
        return None

    return Part("restoring", run, ready)


def _demo(house: House, address: str) -> Part:
    from services.demo import Demo  # brings a mail server, which nobody else needs

    demo = Demo(house.registry, address, house.settings.data)

    async def run() -> None:
        await demo.start()
        await asyncio.Event().wait()

    async def ready() -> str | None:
        return None

    return Part("demo", run, ready, demo.routes, demo.stop, leave=demo.leave)
