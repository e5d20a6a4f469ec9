"""Rows of conversations that are gathered over many batches are those that each batch would have written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.database.protocol import Row, Transaction
from shared.read_models.conversations import READ_MODEL
from shared.read_models.conversations_gathered import Gathered
from tests.read_models.contents import empty_tables
from tests.read_models.lived import life, lives

BATCHES = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=8)


def rows(tx: Transaction) -> dict[str, list[Row]]:
    return {table: sorted(tx.rows(f"SELECT * FROM {table}")) for table in READ_MODEL.tables}


@settings(deadline=None, max_examples=150)
@given(lives, BATCHES)
def test_what_is_written_at_any_time_is_what_was_gathered(
    steps: list[tuple[str, int, int]], batches: list[tuple[int, bool]]
) -> None:
    """Merged, taken apart and moved conversations too."""
    events = life(steps)
    with empty_tables() as at_once, empty_tables() as later:
        READ_MODEL.apply(at_once, events, "")
        gathered, position, turn = Gathered(""), 0, 0
        while position < len(events):
            size, is_written = batches[turn % len(batches)]
            gathered.take(later, events[position : position + size])
            if is_written:
                gathered.write(later)
                assert gathered.size == 0
            position, turn = position + size, turn + 1
        gathered.write(later)
        assert rows(later) == rows(at_once)
