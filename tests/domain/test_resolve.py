"""Which conversation a message joins, by what speaks for it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from shared.domain.resolve import Clue, Decision, is_recent, resolve
from tests.examples import AT

A, B = UUID(int=1), UUID(int=2)
PROOF, REFERENCE = Clue(A, "proof", "proves"), Clue(B, "reference", "answers <b>")
THREAD, TOPIC = Clue(A, "thread", "same thread"), Clue(A, "topic", "same sender and subject")


def test_without_a_clue_a_message_opens_a_conversation() -> None:
    assert resolve([], lambda _: True) == Decision(None, "first message of a thread")


def test_a_reference_counts_of_somebody_who_belongs_there_only() -> None:
    assert resolve([REFERENCE], lambda _: True) == Decision(B, "answers <b>", 80)
    assert resolve([REFERENCE], lambda _: False) == Decision(
        None, "quotes a message of another customer", by_a_stranger=True
    )


def test_a_proof_needs_nobody_to_vouch_for_it_and_goes_before_all_else() -> None:
    assert resolve([PROOF, REFERENCE], lambda place: place == B) == Decision(A, "proves", 200)
    assert resolve([REFERENCE, THREAD], lambda place: place == B) == Decision(A, "same thread", 150)


def test_the_nearest_of_two_references_decides() -> None:
    far = Clue(A, "reference", "answers <a>")
    assert resolve([REFERENCE, far], lambda _: True).conversation_id == B
    assert resolve([far, REFERENCE], lambda _: True).conversation_id == A


def test_a_subject_is_enough_only_where_nothing_better_speaks() -> None:
    assert resolve([TOPIC], lambda _: True) == Decision(A, "same sender and subject", 60)
    assert resolve([REFERENCE, TOPIC], lambda _: True).conversation_id == B
    assert resolve([TOPIC], lambda _: False).conversation_id is None


def test_a_subject_is_forgotten_after_fourteen_days() -> None:
    assert is_recent(AT, AT + timedelta(days=14))
    assert is_recent(AT, AT - timedelta(days=14))
    assert not is_recent(AT, AT + timedelta(days=14, seconds=1))
