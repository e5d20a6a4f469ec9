"""Runs the benchmarks one after the other and prints the table; exit status 1 when a figure is missed.

`NAME:SIZE` gives those that can be of another size theirs.
"""

from __future__ import annotations

import importlib
import sys

from tests.benchmarks.table import Figure, show

NAMES = (
    "idle",
    "embedded",
    "mail",
    "telegram",
    "forms",
    "telephony",
    "call_card",
    "cluster",
    "replay",
    "flat",
    "rebuild",
    "export",
    "audit",
    "search",
    "unmerge",
    "timeline",
)


def main(names: list[str]) -> int:
    figures: list[Figure] = []
    for name in names or NAMES:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        module, _, size = name.partition(":")
        figures += importlib.import_module(f"tests.benchmarks.{module}").figures(*([int(size)] if size else []))
    show(figures)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
