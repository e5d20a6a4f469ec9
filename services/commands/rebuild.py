"""Rebuild read models from the log beside the live ones, compare, switch; or only compare."""

from __future__ import annotations

import argparse
import sys
import time

from services.house import House
from services.projector.rebuild import Progress, rebuild
from services.terminal import WrongRequest, in_house, show
from shared.read_models.live import models

COMMANDS = {"rebuild": "rebuild read models from the log"}
BAR = 30


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("read_models", nargs="*", metavar="READ_MODEL", help=f"some of {', '.join(models())}; or all")
    parser.add_argument("--check", action="store_true", help="compare only; exit status 1 when they differ")
    parser.set_defaults(run=in_house(_run))


async def _run(options: argparse.Namespace, house: House) -> int:
    unknown = [name for name in options.read_models if name not in models()]
    if unknown:
        raise WrongRequest(f"no read model {', '.join(unknown)}; there are {', '.join(models())}")
    outcome = await rebuild(house.database, options.read_models, switch=not options.check, progress=_bar())
    rows = [
        {"table": r.table, "rows": r.rows, "equal": r.equal, "only_live": r.only_live, "only_rebuilt": r.only_rebuilt}
        for r in outcome
    ]
    show(options.json, rows, ("table", "rows", "equal", "only_live", "only_rebuilt"))
    return 0 if all(rebuilt.equal for rebuilt in outcome) else 1


def _bar() -> Progress:
    """Return what draws the progress bar on stderr, with events a second and seconds left."""
    began = time.monotonic()

    def draw(done: int, total: int) -> None:
        rate = done / max(time.monotonic() - began, 1e-6)
        left = (total - done) / rate if rate else 0.0
        full = BAR * done // total if total else BAR
        end = "\n" if done >= total else ""
        bar = "#" * full + "." * (BAR - full)
        sys.stderr.write(f"\r[{bar}] {done}/{total} events, {rate:,.0f}/s, {left:.0f} s left {end}")
        sys.stderr.flush()

    return draw
