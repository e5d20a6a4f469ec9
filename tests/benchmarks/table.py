"""One line of the table: what was measured, what is asked for, and its share of a limit measured in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is at least (rates) or at most (times, sizes); `limit` is what the bare machinery reached."""

    name: str
    value: float
    unit: str
    goal: float
    at_least: bool
    limit: float | None = None
    limit_name: str = ""

    @property
    def reached(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def show(figures: Sequence[Figure]) -> None:
    """Print the table as Markdown."""
    print("| figure | measured | asked for | limit in the same run | share |\n|---|---|---|---|---|")
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        mark = "" if figure.reached else " ✗"
        limit = f"{_rounded(figure.limit, 0)} {figure.unit} ({figure.limit_name})" if figure.limit else ""
        share = f"{figure.value / figure.limit:.2f}" if figure.limit else ""
        measured, goal = f"{_rounded(figure.value, 1)} {figure.unit}{mark}", f"{sign} {figure.goal:,.10g}"
        print(f"| {figure.name} | {measured} | {goal} | {limit} | {share} |", flush=True)


def _rounded(value: float, places: int) -> str:
    return f"{value:,.{places if value >= 10 else 2}f}"
