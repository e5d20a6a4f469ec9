"""Customers from and to CSV files: imports with a dry run and undo, exports that no spreadsheet takes for formulas."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from services.export.files import STDOUT, whole_file
from services.house import House
from services.inbox_api import exporting, importing
from services.inbox_api.cards import by_id_and_email
from services.inbox_api.imports import judged_row, left_row
from services.progress import shown_progress
from services.terminal import WrongRequest, in_house, print_json
from shared.clock import now
from shared.csv_file import WrongFile
from shared.domain import events as e
from shared.domain.imports import counts
from shared.event_store.mapper import About
from shared.read_models import live
from shared.registry.operators import Operators

NOTHING = ("nothing changes", "nothing is known of them but the address")
Column = dict[str, str | None]
COMMANDS = {"customers": "import and export customers"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    import_ = actions.add_parser("import", help="take customers from a CSV file")
    import_.add_argument("file", type=Path, metavar="FILE")
    import_.add_argument(
        "--map", action="append", default=[], metavar="COLUMN=FIELD", help="heading, or #3; repeatable"
    )
    import_.add_argument("--dry-run", action="store_true", help="say what would become of each row; change nothing")
    import_.add_argument("--country", default="", help="of telephone numbers without a country code, such as RU")
    import_.add_argument("--id", type=UUID, help="of an import that was interrupted: go on with it")
    import_.set_defaults(run=in_house(_import))
    export = actions.add_parser("export", help="write all customers to a CSV file")
    export.add_argument("--out", required=True, metavar="FILE", help="- for stdout")
    export.add_argument("--separator", choices=exporting.SEPARATORS, default="comma")
    export.set_defaults(run=in_house(_export), begins=False)
    undo = actions.add_parser("undo", help="take an import back")
    undo.add_argument("import_id", type=UUID, metavar="IMPORT")
    undo.set_defaults(run=in_house(_undo), begins=False)


async def _import(options: argparse.Namespace, house: House) -> int:
    try:
        with options.file.open("rb") as file:
            plan = await importing.plan(house.database, await _wanted(options, house, file))
            columns = _columns(plan)
            if not options.json:
                _say_columns(columns)
            if options.dry_run:
                return await _report(options, columns, importing.dry_run(house.database, plan), None)
            import_id: UUID = options.id or uuid4()
            print(f"import {import_id}", file=sys.stderr)
            return await _report(options, columns, importing.run(house.store, plan, import_id, _about()), import_id)
    except FileNotFoundError as error:
        raise WrongRequest(f"there is no file {options.file}") from error
    except WrongFile as error:
        raise WrongRequest(f"{options.file}: {error}") from error


async def _wanted(options: argparse.Namespace, house: House, file: Any) -> importing.Wanted:
    pairs = [text.rpartition("=") for text in options.map]
    if not all(equals for _, equals, _ in pairs):
        raise WrongRequest("--map wants COLUMN=FIELD, such as 'E-mail=email'")
    country = options.country.upper()
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise WrongRequest("--country wants two letters, such as RU")
    mapping = [(column, field.strip()) for column, _, field in pairs]
    operators = by_id_and_email(await Operators(house.database).all())
    return importing.Wanted(file, options.file.name, mapping, operators, country)


def _columns(plan: importing.Plan) -> list[Column]:
    """Return to which field each column goes, in the order of the file; None: to no field."""
    fields = {column.index: column.field for column in plan.columns}
    return [
        {"column": heading or f"#{number + 1}", "field": fields.get(number)}
        for number, heading in enumerate(plan.shape.headings)
    ]


def _say_columns(columns: list[Column]) -> None:
    taken = [f"{each['column']} -> {each['field']}" for each in columns if each["field"]]
    print(_plain(f"columns: {', '.join(taken)}"))
    if left := [str(each["column"]) for each in columns if not each["field"]]:
        print(_plain(f"left out: {', '.join(left)} (--map COLUMN=FIELD for each that is wanted says otherwise)"))


async def _report(
    options: argparse.Namespace,
    columns: list[Column],
    steps: AsyncIterator[importing.Progress],
    import_id: UUID | None,
) -> int:
    """Print rows (of an import those with something to tell), progress to a terminal, the totals; 1 if any failed."""
    totals = counts(())
    async for step in steps:
        totals = step.totals
        for judged in step.judged:
            row = judged_row(judged)
            if options.json:
                print(orjson.dumps(row).decode())
            elif import_id is None or judged.problems or judged.not_added:
                print(_line(row))
        _progress(f"{_rows(totals)} rows")
    _progress("")
    if options.json:
        told = {"id": str(import_id) if import_id else None, "counts": totals, "columns": columns}
        print(orjson.dumps(told).decode())
    else:
        verb = "would be" if import_id is None else "are"
        print(f"{totals['new']} {verb} new, {totals['known']} known ({totals['changed']} with changes), "
              f"{totals['conflict']} in conflict, {totals['wrong']} wrong")  # fmt: skip
    return 1 if totals["conflict"] or totals["wrong"] else 0


def _line(row: dict[str, Any]) -> str:
    changes = [f"{c['field']}: {_values(c['before'])} -> {_values(c['after'])}" for c in row["changes"]]
    problems = [f"{p['column']}: {p['why']}" if p["column"] else p["why"] for p in row["problems"]]
    not_added = [f"not added: {', '.join(row['not_added'])}"] if row["not_added"] else []
    what = "; ".join([*problems, *changes, *not_added]) or NOTHING[row["state"] == "new"]
    return _plain(f"row {row['row']}: {row['state']}: {what}")


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "nothing"


def _plain(text: str) -> str:
    """What a file says must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _rows(totals: dict[str, int]) -> int:
    return sum(number for name, number in totals.items() if name != "changed")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<40}", end="" if text else "\r", file=sys.stderr, flush=True)


async def _export(options: argparse.Namespace, house: House) -> None:
    if not Path(options.out).parent.is_dir():
        raise WrongRequest(f"there is no folder {Path(options.out).parent}")
    operators = {str(each.id): each.email for each in await Operators(house.database).all()}
    await _catch_up(house)
    size = 0
    with whole_file(options.out) as file, shown_progress(False) as watcher:
        pieces = exporting.csv_of(house.database, operators, exporting.SEPARATORS[options.separator], watcher)
        async for piece in pieces:
            size += file.write(piece)
    if options.json and options.out not in STDOUT:
        print_json({"file": options.out, "size": size})
    elif options.out not in STDOUT:
        print(f"{options.out}: {size} bytes")


async def _catch_up(house: House) -> None:
    """Nobody else may be there to show what was recorded; whoever is, and is first, is no harm."""
    while events := await house.store.after(await house.database.read(live.position), 500):
        await house.database.write(partial(live.take_in, events=events))


async def _undo(options: argparse.Namespace, house: House) -> None:
    done = importing.Undoing()
    async for step in importing.undo(house.store, house.database, options.import_id, _about()):
        done = step
        _progress(f"{done.restored + done.retired} taken back")
    _progress("")
    items = [left_row(left) for left in done.items]
    if options.json:
        print_json({"restored": done.restored, "retired": done.retired, "left": done.left, "items": items})
        return
    for item in items:
        which = f"row {item['row']}" if item["row"] else f"customer {item['customer_id']}"
        print(f"{which}: left: {', '.join(item['fields']) or 'the customer'} ({item['why']} since)")
    print(f"{done.restored} customers have back what they had, {done.retired} are hidden, {done.left} rows were left")


def _about() -> About:
    return About(now(), e.Actor("system", "", "okno customers"))
