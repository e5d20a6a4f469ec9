from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.outbound.retry import GIVE_UP_AFTER, SCHEDULE_SECONDS, next_try
from shared.connector import SendDelayed, SenderBroken, SendError, SendFateUnknown, SendRefused
from tests.services.fakes import AT

TRIES = st.integers(1, 10_000)
ELAPSED = st.timedeltas(timedelta(0), timedelta(hours=48))
RETRYABLE = st.sampled_from([SendDelayed, SenderBroken])
SECONDS = st.none() | st.floats(0, 10**6)


def test_pauses_grow_and_then_stay():
    pauses = [(next_try(tries, SendDelayed("busy"), AT, AT) - AT).total_seconds() for tries in range(1, 9)]
    assert pauses == [2, 5, 15, 60, 300, 900, 900, 900]


@given(TRIES, st.sampled_from([SendRefused, SendFateUnknown, SendError]), ELAPSED)
def test_final_errors_are_never_tried_again(tries, error, elapsed):
    assert next_try(tries, error("no"), AT + elapsed, AT) is None


@given(TRIES, RETRYABLE, ELAPSED, SECONDS)
def test_next_try_is_later_than_now_and_within_a_day_of_the_first(tries, error, elapsed, seconds):
    at = AT + elapsed
    again = next_try(tries, error("busy", retry_after_seconds=seconds), at, AT)
    assert again is None or at + timedelta(seconds=1) <= again <= AT + GIVE_UP_AFTER


@given(TRIES, st.floats(1, 3600))
def test_provider_that_says_when_is_believed(tries, seconds):
    again = next_try(tries, SendDelayed("busy", retry_after_seconds=seconds), AT, AT)
    assert again == AT + timedelta(seconds=seconds)


def test_provider_without_a_word_is_tried_for_a_day_and_not_for_ever():
    at, tries = AT, 1
    while again := next_try(tries, SendDelayed("busy"), at, AT):
        at, tries = again, tries + 1
    assert AT + timedelta(hours=23, minutes=44) < at <= AT + GIVE_UP_AFTER
    assert 90 < tries < 110
    assert len(SCHEDULE_SECONDS) == 6
