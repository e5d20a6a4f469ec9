"""Rebuild read models from the log beside the live ones, compare, switch; or only compare."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from services.collector import seldom_collected
from services.house import House
from services.progress import shown_progress
from services.projector.rebuild import SHOWN, Wanted, drop_left, rebuild
from services.terminal import WrongRequest, come_last, in_house, number, print_json, show
from shared.database.protocol import Occupied
from shared.read_models.compare import Compared, Difference
from shared.read_models.live import models

COMMANDS = {"rebuild": "rebuild read models from the log"}
COLUMNS = ("table", "rows", "equal", "only_live", "only_rebuilt", "changed")
CHARACTERS = 60
BEFORE = 20


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("read_models", nargs="*", metavar="READ_MODEL", help=f"some of {', '.join(models())}; or all")
    parser.add_argument("--check", action="store_true", help="compare only; exit status 1 when they differ")
    parser.add_argument("--show", type=number, default=SHOWN, metavar="N", help=f"name N differing rows ({SHOWN})")
    parser.add_argument("--restart", action="store_true", help="do not go on with a rebuild that was broken off")
    parser.add_argument("--drop", action="store_true", help="only drop what a rebuild that was broken off has left")
    parser.set_defaults(run=in_house(_run), begins=False)


async def _run(options: argparse.Namespace, house: House) -> int:
    unknown = [name for name in options.read_models if name not in models()]
    if unknown:
        raise WrongRequest(f"no read model {', '.join(unknown)}; there are {', '.join(models())}")
    if options.show < 0:
        raise WrongRequest(f"--show wants a number of rows, not {options.show}")
    come_last()
    names = list(dict.fromkeys(options.read_models))
    try:
        if options.drop:
            show(options.json, [{"table": table} for table in await drop_left(house.database)], ("table",))
            return 0
        with shown_progress(options.json) as watcher, seldom_collected():
            wanted = Wanted(names, not options.check, options.restart, options.show)
            outcome = await rebuild(house.database, wanted, watcher, house.place)
    except Occupied as error:
        raise WrongRequest("another process is rebuilding read models: wait for its end") from error
    _print(options.json, outcome)
    return 0 if all(compared.equal for compared in outcome) else 1


def _print(as_json: bool, outcome: Sequence[Compared]) -> None:
    differences = [each for compared in outcome for each in compared.differences]
    if as_json:
        items = [{**_row(compared), "incomparable": compared.incomparable or None} for compared in outcome]
        print_json({"items": items, "next": None, "differences": [_difference(each) for each in differences]})
        return
    show(False, [_row(compared) for compared in outcome], COLUMNS)
    for compared in outcome:
        if compared.incomparable:
            print(f"{compared.table}: not compared, {compared.incomparable}")
    if differences:
        print()
        show(False, [_brief(each) for each in differences], ("table", "key", "what", "column", "live", "rebuilt"))


def _row(compared: Compared) -> dict[str, Any]:
    return {name: getattr(compared, name) for name in COLUMNS}


def _difference(each: Difference) -> dict[str, Any]:
    """Also without `dataclasses.asdict`, which copies what is big."""
    return {name: getattr(each, name) for name in ("table", "key", "what", "column", "live", "rebuilt")}


def _brief(each: Difference) -> dict[str, Any]:
    """Long values are cut to where they begin to differ."""
    live, rebuilt = (str(value) if value is not None else None for value in (each.live, each.rebuilt))
    key = ", ".join(f"{name} {value}" for name, value in each.key.items())
    start = max(0, _first_unlike(live or "", rebuilt or "") - BEFORE) if live and rebuilt else 0
    cut = {"live": _cut(live, start), "rebuilt": _cut(rebuilt, start)}
    return {"table": each.table, "key": _cut(key, 0), "what": each.what, "column": each.column, **cut}


def _first_unlike(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _cut(text: str | None, start: int) -> str | None:
    if text is None or (start == 0 and len(text) <= CHARACTERS):
        return text
    end = start + CHARACTERS
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
