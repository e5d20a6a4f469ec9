"""Run an analyst's projection, a Python class with a table and `apply`, over history; or keep it up to date."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.collector import seldom_collected
from services.house import House
from services.progress import shown_progress
from services.projector.projection import BrokenProjection, Projection, load
from services.projector.replay import OtherProjection, Replay
from services.table_file import KINDS, write_table
from services.terminal import WrongRequest, in_house, moment, print_json, show
from shared.database.open import file_of, open_database
from shared.database.protocol import Database, Row

COMMANDS = {"replay": "run a projection of your own over history"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("projection", metavar="MODULE:NAME", help="such as reports.py:FirstResponse")
    parser.add_argument("--since", metavar="TIME", help="begin with what Okno recorded at this time")
    parser.add_argument("--until", metavar="TIME", help="stop after what Okno recorded until then")
    parser.add_argument("--follow", action="store_true", help="then keep it up to date, until interrupted")
    parser.add_argument("--restart", action="store_true", help="make the tables anew")
    parser.add_argument("--into", metavar="FILE|URL|database", help="where its tables lie (DATA/replay/NAME.db)")
    parser.add_argument("--query", metavar="SQL", help="what to show at the end (the projection's `query`)")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"write that to a file: {', '.join(KINDS)}")
    parser.set_defaults(run=in_house(_run), begins=False)


async def _run(options: argparse.Namespace, house: House) -> None:
    since, until = moment("--since", options.since), moment("--until", options.until)
    if since and until and since > until:
        raise WrongRequest("--since is after --until")
    if options.follow and (until or options.out):
        raise WrongRequest("--follow goes on for ever: it takes neither --until nor --out")
    if options.out and options.out.suffix not in KINDS:
        raise WrongRequest(f"--out wants a name that ends in {' or '.join(KINDS)}, not {options.out}")
    if options.out and not options.out.absolute().parent.is_dir():
        raise WrongRequest(f"there is no folder {options.out.parent}")
    try:
        projection = load(options.projection)
        query = options.query or projection.query
        if options.out and not query:
            raise WrongRequest("--out needs --query, or a `query` of the projection")
        target = _target(options.into, house, projection)
        try:
            replay = Replay(projection, house.database, target)
            position = await replay.begin(since, restart=options.restart)
            if until:
                await replay.refuse_later(position, until)
            begins = await replay.begins()
            if begins and not (since or options.json):
                print(f"the tables of {projection.name} begin at {begins}: --restart makes them of the whole history")
            with shown_progress(options.json) as watcher, seldom_collected():
                await replay.run_through(position, since, until, watcher)
            if options.follow:
                await replay.follow(house.store, since)
            if query:
                _answer(options, begins, *await asyncio.to_thread(replay.select, query))
        finally:
            await target.close()
    except (BrokenProjection, OtherProjection) as error:
        raise WrongRequest(str(error)) from error


def _target(into: str | None, house: House, projection: Projection) -> Database:
    """Return the database of the tables, to be closed."""
    if into == "database":
        into = house.settings.database_url
    url = into if into and "://" in into else f"sqlite:///{_file(into, house, projection)}"
    if _is_ours(url, house):
        raise WrongRequest(
            "Okno's SQLite files have no room for tables of others: --into another file, and ATTACH one to the other"
        )
    try:
        return open_database(url)
    except ValueError as error:
        raise WrongRequest(
            f"--into wants a file, sqlite:///FILE, postgresql://... or the word database: {into}"
        ) from error


def _is_ours(url: str, house: House) -> bool:
    """Whether the file, however it is spelt, is that of the log or of the keys."""
    ours = map(file_of, (house.settings.database_url, house.settings.keys_url))
    file = file_of(url)
    return file is not None and file.resolve() in [each.resolve() for each in ours if each]


def _file(into: str | None, house: House, projection: Projection) -> Path:
    return Path(into).absolute() if into else house.settings.data / "replay" / f"{projection.name}.db"


def _answer(options: argparse.Namespace, begins: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    items: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    if options.out:
        write_table(options.out, columns, items)
        told = {"rows": len(items), "file": str(options.out), "since": begins or None}
        print_json(told) if options.json else print("{rows} rows in {file}".format(**told))
    elif options.json:
        print_json({"items": items, "next": None, "since": begins or None})
    else:
        show(False, items, columns)
