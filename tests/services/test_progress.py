"""What a long command shows of how far it is."""

from __future__ import annotations

import io
import json

from services.progress import shown_progress
from shared.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_rate_and_time_left() -> None:
    with shown_progress(False, terminal := Terminal()) as watcher:
        watcher(Progress("events", 600, 1000, before=500))
        watcher(Progress("events", 601, 1000, before=500))
        watcher(Progress("events", 1000, 1000, before=500))
        watcher(Progress("indexes", 1, 2))
    first, last, indexes = terminal.getvalue().split("\r")[1:]
    assert first.startswith("[##################............] 600/1000 events, ")
    assert "/s, " in first
    assert " s left" in first
    assert last.startswith("[##############################] 1000/1000 events, ")
    assert indexes == "[###############...............] 1/2 indexes\x1b[K\n"


def test_nothing_is_drawn_where_nothing_is_done() -> None:
    with shown_progress(False, terminal := Terminal()):
        pass
    assert terminal.getvalue() == ""


def test_json_lines_are_for_programs_and_a_file_gets_nothing() -> None:
    with shown_progress(True, out := io.StringIO()) as watcher:
        watcher(Progress("events", 0, 10))
        watcher(Progress("events", 10, 10))
    first, last = (json.loads(line) for line in out.getvalue().splitlines())
    assert first == {"step": "events", "done": 0, "total": 10}
    assert (last["done"], last["seconds_left"], last["per_second"] > 0) == (10, 0.0, True)
    with shown_progress(False, out := io.StringIO()) as watcher:
        watcher(Progress("events", 1, 10))
    assert out.getvalue() == ""
