"""A call is what its reports tell together: no order, no repetition and no gap between them changes it."""

import itertools
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import call as calls
from shared.domain.call import merge, overdue
from shared.domain.events import Call, Leg

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
many = settings(deadline=None, max_examples=200)


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def ringing(**facts: object) -> Call:
    return Call("ringing", "inbound", "+79161234567", "+74951234567", **facts)  # type: ignore[arg-type]


def tells(state: str, **facts: object) -> Call:
    return Call(state, "inbound", "", "", **facts)  # type: ignore[arg-type]


# A call with a consultation and a transfer: the client rings 101, who asks 102 and hands the client over.
RANG = ringing(started_at=AT, legs=(Leg("a", "101", sequence=1, at=AT, started_at=AT),))
TAKEN = tells("answered", legs=(Leg("a", "101", "answered", 2, at(7), True, answered_at=at(7)),))
HELD = tells("answered", legs=(Leg("a", "101", "on_hold", 3, at(20), True),))
ASKED = tells("ringing", legs=(Leg("b", "102", "consulting", 1, at(25), started_at=at(25)),))
LEFT = tells("ringing", legs=(Leg("a", "101", "ended", 4, at(20), ended_at=at(20)),))
HANDED = tells(
    "answered", legs=(Leg("b", "102", "answered", 2, at(30), True, answered_at=at(30), transferred_from="a"),)
)
ENDED = tells("finished", talking_seconds=60, ended_at=at(67), recording="R1")
STORY = (RANG, TAKEN, HELD, ASKED, LEFT, HANDED, ENDED)


def told(*reports: Call) -> Call:
    return reduce(merge, reports)


def test_a_call_has_everything_its_reports_told() -> None:
    assert told(*STORY) == Call(
        "finished",
        "inbound",
        "+79161234567",
        "+74951234567",
        talking_seconds=60,
        recording="R1",
        started_at=AT,
        ended_at=at(67),
        legs=(
            Leg("a", "101", "ended", 4, at(20), True, AT, at(7), at(20)),
            Leg("b", "102", "answered", 2, at(30), True, at(25), at(30), None, "a"),
        ),
    )


def test_a_story_can_be_followed() -> None:
    seen = [
        (call.state, calls.on_hold(call), calls.answered_by(call), calls.transferred_to(call))
        for call in itertools.accumulate(STORY, merge)
    ]
    assert seen == [
        ("ringing", False, "", ""),
        ("answered", False, "101", ""),
        ("answered", True, "101", ""),
        ("answered", True, "101", ""),
        ("answered", False, "101", ""),
        ("answered", False, "102", "102"),
        ("finished", False, "102", "102"),
    ]
    assert (calls.waiting_seconds(told(*STORY)), calls.talking_seconds(told(*STORY))) == (7, 60)


def test_every_order_of_up_to_six_reports_gives_the_same_call() -> None:
    for size in range(1, 7):
        for chosen in itertools.combinations(STORY, size):
            expected = told(*chosen)
            assert all(told(*order) == expected for order in itertools.permutations(chosen))


# --- whatever is reported ---------------------------------------------------------------------------------

TOLD, GIVEN_UP = ("ringing", "answered", "failed", "missed", "finished"), ("missed", "finished")
states = st.sampled_from([*((state, True) for state in TOLD), *((state, False) for state in GIVEN_UP)])
times = st.none() | st.integers(0, 5).map(at)
seconds = st.none() | st.integers(0, 3)
texts = st.sampled_from(["", "101", "+74951234567", "Ольга"])
legs = st.builds(
    Leg,
    st.sampled_from("abc"),
    texts,
    st.sampled_from(["ringing", "consulting", "answered", "on_hold", "ended"]),
    st.integers(0, 2),
    times,
    st.booleans(),
    times,
    times,
    times,
    st.sampled_from(["", "a"]),
)


@st.composite
def reports(draw: st.DrawFn) -> Call:
    state, reported = draw(states)
    found = draw(st.lists(legs, max_size=3, unique_by=lambda leg: leg.id))
    return Call(
        state,  # type: ignore[arg-type]
        draw(st.sampled_from(["inbound", "outbound"])),
        draw(texts),
        draw(texts),
        draw(texts),
        draw(seconds),
        draw(seconds),
        draw(texts),
        draw(times),
        draw(times),
        draw(times),
        tuple(sorted(found, key=lambda leg: leg.id)),
        reported,
    )


@many
@given(reports(), reports(), reports())
def test_merging_is_commutative_associative_and_idempotent(a: Call, b: Call, c: Call) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(merge(a, b), b) == merge(a, b)


@many
@given(st.lists(reports(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_call(told_: list[Call], random: object) -> None:
    again = told_ + [random.choice(told_) for _ in range(5)]  # type: ignore[attr-defined]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert told(*again, again[0]) == told(*told_, told_[0])


def test_a_flood_of_legs_is_bounded_and_has_no_order() -> None:
    flood = [ringing(legs=(Leg(f"{n:03}"),)) for n in range(200)]
    call = told(*flood)
    assert [leg.id for leg in call.legs] == [f"{n:03}" for n in range(calls.LEG_LIMIT)]
    assert told(*reversed(flood)) == call


def test_a_number_in_e164_says_more_than_an_extension() -> None:
    assert merge(tells("ringing"), Call("ringing", "inbound", "8916", "101")).to == "101"
    assert merge(ringing(), Call("ringing", "inbound", "8916", "999")) == ringing()


def test_an_answer_after_a_miss_wins() -> None:
    assert merge(tells("missed"), tells("finished")).state == "finished"
    assert merge(tells("missed"), tells("answered")).state == "missed"


# --- who and how long -------------------------------------------------------------------------------------


def test_what_the_provider_counts_comes_before_our_clock() -> None:
    call = told(ringing(started_at=AT), tells("answered", answered_at=at(10)), tells("finished", ended_at=at(70)))
    assert (calls.waiting_seconds(call), calls.talking_seconds(call)) == (10, 60)
    counted = merge(call, tells("finished", waiting_seconds=9, talking_seconds=58, answered_by="Ольга"))
    assert (calls.waiting_seconds(counted), calls.talking_seconds(counted)) == (9, 58)
    assert calls.answered_by(counted) == "Ольга"


def test_of_a_missed_call_the_whole_time_was_waiting() -> None:
    call = told(ringing(started_at=AT), tells("missed", ended_at=at(30)))
    assert (calls.waiting_seconds(call), calls.talking_seconds(call)) == (30, None)


def test_nobody_talks_yet_while_it_rings() -> None:
    assert (calls.waiting_seconds(ringing(started_at=AT)), calls.talking_seconds(ringing())) == (None, None)


def test_a_leg_that_has_ended_takes_nobody_off_hold() -> None:
    assert not calls.on_hold(told(HELD, LEFT, ENDED))
    assert calls.on_hold(told(HELD, ASKED))


# --- a report that never comes ----------------------------------------------------------------------------


def test_a_call_that_rings_for_ever_is_ended_and_not_reported() -> None:
    call = ringing(started_at=AT)
    assert overdue(call, at(599)) is None
    given_up = overdue(call, at(600))
    assert given_up == Call("missed", "inbound", call.from_, call.to, started_at=AT, reported=False)


def test_a_talk_may_last_for_hours() -> None:
    call = told(RANG, TAKEN)
    assert overdue(call, at(3600)) is None
    given_up = overdue(call, at(7 + 4 * 3600))
    assert given_up is not None
    assert (given_up.state, given_up.reported) == ("finished", False)


def test_when_every_leg_has_ended_the_report_of_the_end_is_due_soon() -> None:
    call = told(RANG, TAKEN, LEFT)
    assert overdue(call, at(20 + 299)) is None
    assert overdue(call, at(20 + 300)) is not None


def test_without_any_time_told_it_counts_from_when_we_heard_of_it() -> None:
    assert overdue(ringing(), at(10**6)) is None
    assert overdue(ringing(), at(599), seen_at=AT) is None
    assert overdue(ringing(), at(600), seen_at=AT) is not None


def test_a_time_that_is_still_to_come_is_not_believed() -> None:
    call = ringing(started_at=at(3 * 3600))
    assert overdue(call, at(599), seen_at=AT) is None
    assert overdue(call, at(600), seen_at=AT) is not None


@pytest.mark.parametrize("state", ["finished", "missed", "failed"])
def test_a_call_that_has_ended_is_never_overdue(state: str) -> None:
    assert overdue(tells(state, started_at=AT), at(10**6)) is None


def test_a_report_that_comes_after_all_overrules_what_was_given_up() -> None:
    given_up = overdue(ringing(started_at=AT), at(600))
    assert given_up is not None
    assert merge(given_up, tells("failed")).state == "failed"
    assert merge(given_up, tells("finished")).reported
    assert merge(given_up, ringing(started_at=AT)) == given_up


def test_an_answer_that_is_told_late_makes_a_given_up_call_a_finished_one() -> None:
    given_up = overdue(ringing(started_at=AT), at(600))
    assert given_up is not None
    late = merge(given_up, tells("answered", answered_at=at(5)))
    assert (late.state, late.reported, late.answered_at) == ("finished", False, at(5))
