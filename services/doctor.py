"""Looks over an installation: each check says in one line what it found, and what to do where something is wrong.

Reads only, except for a file that is written and removed again to see whether a folder can be written to.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from services import reply_channels
from services.house import House
from services.privacy import lost, lost_on_the_way
from services.privacy.seal_old import any_plain
from services.unheard import unheard_before
from shared.clock import from_text, now, to_text
from shared.connector import load
from shared.database.open import file_of
from shared.database.protocol import Transaction
from shared.event_store import fitting_keys
from shared.event_store.log import head
from shared.owner_only import make_folder, others_read
from shared.read_models import holes, live, quarantine
from shared.registry import restoring
from shared.registry.health import health_of_channels
from shared.registry.restoring import RestoreUnfinished
from shared.said import said, said_with_kind

POSTGRES = 150_000
"""The oldest server version that is supported, as PostgreSQL counts."""
FREE_BYTES, FEW_BYTES = 200 * 1024**2, 2 * 1024**3
CLOCK_SECONDS = 2.0
FATE_WITHIN = timedelta(minutes=15)
BEHIND_EVENTS = 10_000
OWNERS = 20
"""So many are named; `okno keys lost` names all."""
PLAIN = "what is older than keys is in plain words: `okno keys seal-old`; backups of it have to go by hand"
HOLES = 5
"""So many are named; `okno audit` names all."""
UNREADABLE = (
    "start the version of Okno that wrote them, or put their bytes back from a backup: soon they are shown"
    " by themselves. Until then partners wait at them, what comes for such a conversation goes to the quarantine, and"
    " erasures that come upon them wait: `okno erasures list` says which"
)
UNHEARD = "while the projector runs they are relayed again by themselves; does outbound run?"
State = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `wrong` stops people from working, a `warning` will."""

    check: str
    state: State
    found: str


async def look_over(house: House) -> AsyncIterator[Finding]:
    """Yield every check's findings, the foundations first."""
    for name, folder in (("data folder", house.settings.data), ("blobs", Path(house.settings.blobs))):
        yield _folder(name, folder)
    if (key := house.settings.data / "secret.key").exists():
        yield _secret(key)
    if seen := [str(file) for file in _databases(house) if file.exists() and others_read(file)]:
        yield Finding("files", "warning", f"others can read {', '.join(seen)}: chmod 600 {' '.join(seen)}")
    for name, check in CHECKS.items():
        try:
            for state, found in await check(house):
                yield Finding(name, state, found)
        except Exception as error:  # whatever it is, it is what this command is asked for
            yield Finding(name, "wrong", said_with_kind(error)[:500])


def _folder(name: str, folder: Path) -> Finding:
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"okno")
    except OSError as error:
        return Finding(name, "wrong", f"{folder} cannot be written to: {error.strerror}")
    free = shutil.disk_usage(folder).free
    state: State = "wrong" if free < FREE_BYTES else "warning" if free < FEW_BYTES else "ok"
    return Finding(name, state, f"{folder}, {free / 1024**3:.1f} GB free")


def _secret(key: Path) -> Finding:
    if os.name == "posix" and stat.S_IMODE(key.stat().st_mode) & 0o077:
        return Finding("secret key", "warning", f"others can read {key}: chmod 600 it")
    return Finding("secret key", "ok", f"{key}: keep a copy elsewhere, nothing secret can be read without it")


def _databases(house: House) -> list[Path]:
    """What is in the log of writes is not in the file yet."""
    urls = (house.settings.database_url, house.settings.keys_url)
    return [Path(f"{file}{end}") for url in urls if (file := file_of(url)) for end in ("", "-wal")]


# --- what the checks look at --------------------------------------------------------------------------------

Found = list[tuple[State, str]]


async def _database(house: House) -> Found:
    if house.database.dialect == "sqlite":
        said = await house.database.read(lambda tx: tx.rows("PRAGMA quick_check(1)"))
        return [("ok", "SQLite, sound")] if said == [("ok",)] else [("wrong", f"SQLite: {said[0][0]}")]
    version, at, is_ours = await house.database.read(_server)
    off = abs((from_text(at) - now()).total_seconds())
    state: State = "ok" if version >= POSTGRES else "wrong"
    found: Found = [(state, f"PostgreSQL {version // 10_000}" + ("" if state == "ok" else ": 15 or newer is needed"))]
    if off > CLOCK_SECONDS:
        found.append(("warning", f"its clock and this machine's differ by {off:.0f} s"))
    if not is_ours:
        found.append(("warning", "our user does not own it, so no erasure can end: ALTER DATABASE ... OWNER TO ..."))
    return found


def _server(tx: Transaction) -> tuple[int, str, bool]:
    """Return version and clock, and whether our user may write the statistics anew."""
    row = tx.row(
        "SELECT current_setting('server_version_num')::int, clock_timestamp(), pg_has_role(datdba, 'USAGE')"
        " FROM pg_database WHERE datname = current_database()"
    )
    assert row is not None
    at: datetime = row[1]
    return int(row[0]), to_text(at), bool(row[2])


async def _restore(house: House) -> Found:
    try:
        await house.database.read(restoring.refuse_unfinished)
    except RestoreUnfinished as error:
        return [("wrong", said(error))]
    return []


async def _keys(house: House) -> Found:
    """Reads all of the log: one page that is missing between others stops whoever comes to it."""
    found = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
    plain: Found = [("warning", PLAIN)] if await house.database.read(any_plain) else []
    if not found.pages:
        return [("ok", f"all {found.of_log} pages of keys are there: back them up apart from the rest"), *plain]
    told = f"{len(found.pages)} of {found.of_log} pages of keys are missing or damaged, {fitting_keys.ADVICE}"
    whose = ", ".join(map(str, sorted(found.owners)[:OWNERS])) + (", ..." if len(found.owners) > OWNERS else "")
    return [
        ("wrong", told),
        ("wrong", f"{found.events} events of {len(found.owners)} clients cannot be read: {whose}"),
        ("wrong", "where there is no backup of these keys: `okno keys lost`, then `okno keys declare-lost`"),
    ]


async def _transport(house: House) -> Found:
    transport = house.transport()
    try:
        await transport.start()
    finally:
        await transport.close()
    return [("ok", "within the database" if house.settings.embedded else f"Kafka at {house.settings.kafka}")]


async def _keys_on_the_way(house: House) -> Found:
    """Reads what the topics hold: whoever comes to a record without a key waits for it."""
    found = await lost_on_the_way.find(house)
    if not found.any:
        return [("ok", "all are there")]
    unread = ", ".join(f"{count} of {topic}" for topic, count in sorted(found.unread.items()) if count) or "none"
    missing = f"{len(found.wire)} keys of records and {len(found.letters)} of dead letters are missing"
    return [
        ("wrong", f"{missing}, {fitting_keys.ADVICE}"),
        ("wrong", f"nobody reads on until then, and nobody can be erased; unread records without a key: {unread}"),
        ("wrong", "where there is no backup of these keys: `okno keys lost`, then `okno keys declare-lost`"),
    ]


async def _read_models(house: House) -> Found:
    behind = await house.database.read(lambda tx: head(tx) - live.position(tx))
    standings = await house.database.read(live.standings)
    old = [name for name, standing in standings.items() if standing.version != live.models()[name].version]
    state: State = "warning" if behind > BEHIND_EVENTS else "ok"
    found: Found = [(state, f"{behind} events behind the log")]
    if behind < 0:
        found = [("wrong", f"{-behind} events beyond the end of the log, which was cut off: see `okno audit --verify`")]
    return found + [
        ("warning", f"{name} is of another version: the projector rebuilds it at its start") for name in old
    ]


async def _log(house: House) -> Found:
    count = await house.database.read(holes.count)
    if not count:
        return [("ok", "nothing was passed over")]
    some = await house.database.read(partial(holes.noted, after=0, limit=HOLES))
    return [
        ("wrong", f"{count} events cannot be read, and are not shown; everything else is"),
        *[("wrong", hole.why) for hole in some],
        ("wrong", UNREADABLE),
    ]


async def _channels(house: House) -> Found:
    healths = await house.database.read(health_of_channels)
    all_ = await house.registry.all()
    channels = [each for each in all_ if each.state == "active"]
    found: Found = [] if channels else [("warning", "none is connected: see `okno channels kinds`")]
    for channel in (each.channel for each in channels):
        health = healths.get(str(channel.id))
        problems = [
            *load(channel.kind).problems(channel.settings),
            *reply_channels.problems(channel, all_),
            *([health.problem] if health and health.problem else []),
        ]
        lag = f", {health.lag} not fetched yet" if health and health.lag else ""
        found.append(
            ("wrong" if problems else "ok", f"{channel.name} ({channel.kind}): {'; '.join(problems) or 'works'}{lag}")
        )
    hooked = [each for each in channels if load(each.channel.kind).capabilities.receives_by == "webhook"]
    if hooked and not house.settings.public_url:
        found.append(
            ("warning", "OKNO_PUBLIC_URL is not set: providers and forms on websites cannot be told where we are")
        )
    return found


async def _quarantine(house: House) -> Found:
    count = await house.database.read(quarantine.waiting_count)
    return [("warning", f"{count} items could not be understood: see the quarantine")] if count else [("ok", "empty")]


async def _replies(house: House) -> Found:
    before = to_text(now() - FATE_WITHIN)
    waiting = "state IN ('queued', 'waiting', 'sending')"
    sql = f"SELECT count(*), min(created_at) FROM deliveries WHERE {waiting} AND created_at < ?"
    row = await house.database.read(lambda tx: tx.row(sql, (before,)))
    found: Found = []
    minutes = FATE_WITHIN.seconds // 60
    if row is not None and row[0]:
        found.append(("warning", f"{row[0]} have waited since {row[1]} and longer than {minutes} minutes"))
    if unheard := await unheard_before(house.database, house.store, from_text(before)):
        found.append(("warning", f"{unheard} have not reached outbound for {minutes} minutes: {UNHEARD}"))
    return found or [("ok", "each has left or is known to have failed")]


async def _operators(house: House) -> Found:
    row = await house.database.read(lambda tx: tx.row("SELECT count(*) FROM operators WHERE role = 'admin'"))
    return [("ok", f"{row[0]} admins")] if row and row[0] else [("warning", "no admin yet: `okno up` prints a link")]


CHECKS: dict[str, Callable[[House], Awaitable[Found]]] = {
    "database": _database,
    "restore": _restore,
    "keys": _keys,
    "transport": _transport,
    "keys on the way": _keys_on_the_way,
    "read models": _read_models,
    "log": _log,
    "channels": _channels,
    "quarantine": _quarantine,
    "replies": _replies,
    "operators": _operators,
}
