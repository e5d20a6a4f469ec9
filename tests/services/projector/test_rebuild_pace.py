"""Steps of a rebuild are as large as their events allow."""

from __future__ import annotations

from services.projector.rebuild_pace import LEAST, NEAR, STEP_SECONDS, WAITED_FOR, Approach, Pace


def sizes(most: int, *seconds: float) -> list[int]:
    pace, found = Pace(most), list[int]()
    for each in seconds:
        found.append(pace.events)
        pace.took(each)
    return [*found, pace.events]


def test_steps_grow_while_they_are_brief_and_no_further_than_allowed() -> None:
    assert sizes(2000, 0.01, 0.04, 0.08) == [500, 1000, 2000, 2000]


def test_steps_of_large_events_shrink_but_go_on() -> None:
    assert sizes(2000, *[2 * STEP_SECONDS] * 5) == [500, 250, 125, 62, LEAST, LEAST]


def test_a_step_that_takes_about_as_long_as_it_may_stays() -> None:
    assert sizes(2000, 0.8 * STEP_SECONDS) == [500, 500]


def test_few_are_allowed() -> None:
    assert sizes(20, 0.01, 1.0) == [20, 20, 20]
    assert Pace(20).least == 20


def test_steps_among_others_are_few_events_but_more_where_each_waits_long() -> None:
    pace = Pace(2000)
    pace.took(0.01)
    assert (pace.among_others(waits_long=False), pace.among_others(waits_long=True)) == (LEAST, WAITED_FOR)


def test_steps_of_large_events_stay_small_however_long_they_wait() -> None:
    pace = Pace(2000)
    pace.took(2 * STEP_SECONDS)
    pace.took(2 * STEP_SECONDS)
    assert pace.among_others(waits_long=True) == 125


def test_a_pass_that_brings_the_end_hardly_nearer_is_followed_by_one_of_larger_steps() -> None:
    approach, least = Approach(), []
    for left in (40_000, 39_000, 18_000, 17_000, 16_000, 15_000, 14_000):
        assert not approach.is_over(left)
        least.append(approach.least)

    assert least == [LEAST, 2 * LEAST, 2 * LEAST, 4 * LEAST, 8 * LEAST, WAITED_FOR, WAITED_FOR]
    assert Pace(2000, approach.least).among_others(waits_long=False) == WAITED_FOR


def test_what_is_left_is_for_whoever_holds_the_others_still_once_it_was_little_twice() -> None:
    approach = Approach()

    assert [approach.is_over(left) for left in (NEAR, NEAR + 1, NEAR, NEAR)] == [False, False, False, True]
    assert Approach().is_over(0)
