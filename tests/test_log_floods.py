"""What libraries repeat while a server is away: told, counted, and never so often that it fills a disk."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from shared import logs
from shared.log_floods import KINDS, PERIOD_SECONDS, SAID, Repeated


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(clock: Clock) -> Iterator[io.StringIO]:
    """Where the lines of a logger of nobody's go, by the filter under test."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLines())
    handler.addFilter(Repeated(clock))
    for name in ("library", "okno.part"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).propagate = False
    yield written
    for name in ("library", "okno.part"):
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).propagate = True


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_that_comes_again_and_again_is_written_a_few_times_a_period_and_counted(
    stream: io.StringIO, clock: Clock
) -> None:
    for number in range(1000):
        logging.getLogger("library").error("no node %s", number)
    clock.now += PERIOD_SECONDS
    logging.getLogger("library").error("no node %s", 1000)
    said = [(line["event"], line.get("unsaid")) for line in lines(stream)]
    assert said == [("no node 0", None), ("no node 1", None), ("no node 1000", 1000 - SAID)]


def test_other_lines_pass_meanwhile_and_ours_always(stream: io.StringIO) -> None:
    for _ in range(10):
        logging.getLogger("library").error("no node")
        logging.getLogger("okno.part").warning("waiting")
    logging.getLogger("library").error("disk full")
    said = [line["event"] for line in lines(stream)]
    assert [said.count(each) for each in ("no node", "waiting", "disk full")] == [SAID, 10, 1]


def test_errors_of_different_places_are_different_lines(stream: io.StringIO) -> None:
    def fail() -> None:
        raise ValueError

    for work in (fail, lambda: {}["missing"]):
        for _ in range(10):
            try:
                work()
            except (ValueError, KeyError):
                logging.getLogger("library").exception("Exception in application")
    told = [str(line["traceback"]) for line in lines(stream)]
    assert [sum(name in each for each in told) for name in ("ValueError", "KeyError")] == [SAID, SAID]


def test_a_library_that_never_says_the_same_twice_is_held_to_as_many_lines(stream: io.StringIO, clock: Clock) -> None:
    for number in range(1000):
        logging.getLogger("library").error(f"no node {number}")
    assert len(lines(stream)) == KINDS + SAID
    clock.now += PERIOD_SECONDS
    logging.getLogger("library").error("no node")
    assert lines(stream)[-1]["event"] == "no node"


def test_a_process_writes_the_lines_of_libraries_so() -> None:
    written = io.StringIO()
    root = logging.getLogger()
    before, level, output = root.handlers[:], root.level, (logs._Output.stream, logs._Output.level)
    logs.set_up_logs("info", written)
    try:
        for _ in range(100):
            logging.getLogger("library").error("no node")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logs._Output.stream, logs._Output.level = output
    assert len(lines(written)) == SAID
