"""Whole calls as the providers tell them: any order and any repetition gives the same call."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.inbound import Address, RemoteFile
from shared.domain import call as facts
from shared.domain.events import Call, Leg
from tests.channels.telephony.flows import FLOWS, calls, heard, mango_flow, twilio_flow, uis_flow, zadarma_flow

CLIENT, LINE = "+79161234567", "+74951234567"


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type, misc]


def unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- what the corpora tell --------------------------------------------------------------------------------


def test_twilio_tells_of_a_call_that_was_taken_and_one_that_was_missed() -> None:
    assert calls(heard(twilio_flow())) == {
        "CA" + "a" * 32: Call(
            "finished",
            "inbound",
            CLIENT,
            LINE,
            talking_seconds=42,
            recording="RE" + "c" * 32,
            answered_at=utc(2026, 11, 21, 10, 0, 5),
            ended_at=utc(2026, 11, 21, 10, 0, 47),
        ),
        "CA" + "b" * 32: Call("missed", "inbound", CLIENT, LINE, ended_at=utc(2026, 11, 21, 11, 0, 30)),
    }


def test_mango_tells_of_a_call_with_a_consultation_and_a_transfer() -> None:
    call = calls(heard(mango_flow()))["232wc3e3w3s222"]
    began = 1398956978
    assert call == Call(
        "finished",
        "inbound",
        "+74955404444",
        "+74951234567",
        answered_by="321",
        waiting_seconds=7,
        talking_seconds=30,
        recording="R1==",
        started_at=unix(began),
        answered_at=unix(began + 7),
        ended_at=unix(began + 37),
        legs=(
            Leg("200:514", "123", "ended", 4, unix(began + 17), True, unix(began), unix(began + 7), unix(began + 17)),
            Leg(
                "202:515", "321", "ended", 4, unix(began + 37), True,
                unix(began + 27), unix(began + 27), unix(began + 37), "200:514",
            ),
        ),
    )  # fmt: skip
    assert facts.transferred_to(call) == "321"


def test_mango_is_followed_while_the_call_lasts() -> None:
    told = heard(mango_flow("call_with_consultation"))
    seen = []
    for n in range(1, len(told) + 1):
        call = calls(told[:n])["232wc3e3w3s222"]
        seen.append((call.state, facts.on_hold(call), facts.answered_by(call), facts.transferred_to(call)))
    assert seen == [
        ("ringing", False, "", ""),
        ("answered", False, "123", ""),
        ("answered", True, "123", ""),
        ("answered", True, "123", ""),
        ("answered", True, "123", ""),
        ("answered", False, "123", ""),
        ("answered", False, "321", "321"),
        ("answered", False, "321", "321"),
    ]


def test_mango_tells_of_a_missed_call() -> None:
    assert calls(heard(mango_flow()))["MISSED1"] == Call(
        "missed",
        "inbound",
        "+74955404444",
        "+74951234567",
        waiting_seconds=30,
        talking_seconds=0,
        started_at=unix(1398960000),
        ended_at=unix(1398960030),
    )


def test_zadarma_tells_of_calls_taken_missed_and_made_in_vain() -> None:
    assert calls(heard(zadarma_flow())) == {
        "in_394b269d3ae9043550ea60e0fa826ff689beac13": Call(
            "finished",
            "inbound",
            CLIENT,
            LINE,
            answered_by="100",
            talking_seconds=42,
            recording="1585918082.92858",
            started_at=utc(2026, 11, 21, 14, 26, 47),
            legs=(Leg("100", "100", "ended", answered=True),),
        ),
        "in_missed0001": Call(
            "missed", "inbound", CLIENT, LINE, talking_seconds=0, started_at=utc(2026, 11, 21, 15)
        ),
        "out_dcb22bcd4e78fa4b627aa2e0c67d0191cd0a5068": Call(
            "failed", "outbound", "100", CLIENT, talking_seconds=0, started_at=utc(2026, 11, 21, 16)
        ),
    }  # fmt: skip


def test_uis_tells_of_calls_taken_lost_and_made() -> None:
    began = utc(2026, 11, 21, 12, 30)
    told = calls(heard(uis_flow()))
    assert {id_: (c.state, c.direction, c.from_, c.to) for id_, c in told.items()} == {
        "500": ("finished", "inbound", CLIENT, LINE),
        "501": ("missed", "inbound", CLIENT, LINE),
        "502": ("ringing", "outbound", LINE, CLIENT),
    }
    call = told["500"]
    assert (call.answered_by, call.waiting_seconds, call.talking_seconds) == ("Иванов Иван", 8, 42)
    assert call.recording == "https://app.uiscom.ru/system/media/talk/500/2e675888ded89ed517d5c60e63a2d8c3/"
    assert call.started_at == began.replace(microsecond=250_000)
    assert [(leg.id, leg.to, leg.state, leg.answered) for leg in call.legs] == [("25", "Иванов Иван", "ended", True)]


# --- in any order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOWS)
def test_every_order_of_up_to_six_webhooks_gives_the_same_calls(name: str) -> None:
    told = heard(FLOWS[name]())
    for start in range(max(1, len(told) - 5)):
        chosen = told[start : start + 6]
        expected = calls(chosen)
        assert all(calls(order) == expected for order in itertools.permutations(chosen))


@pytest.mark.parametrize("name", FLOWS)
def test_any_order_with_repetitions_gives_the_same_calls(name: str) -> None:
    told = heard(FLOWS[name]())
    expected = calls(told)

    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(st.permutations(range(len(told))), st.lists(st.integers(0, len(told) - 1), max_size=20))
    def check(order: list[int], again: list[int]) -> None:
        assert calls([told[n] for n in [*order, *again]]) == expected
        assert calls([told[n] for n in [*again, *order]]) == expected

    check()


@pytest.mark.parametrize("name", FLOWS)
def test_a_repeated_webhook_is_the_same_item_and_another_one_is_not(name: str) -> None:
    told, again = heard(FLOWS[name]()), heard(FLOWS[name]())
    assert [parsed.dedup_key for parsed in told] == [parsed.dedup_key for parsed in again]
    assert len({parsed.dedup_key for parsed in told}) == len(told)


# --- whose call it is -------------------------------------------------------------------------------------


def test_a_webhook_without_the_clients_number_refers_to_the_call() -> None:
    told = heard(mango_flow())
    key = f"call:{mango_flow().channel.id}/232wc3e3w3s222"
    ringing, recorded = told[0], told[-1]
    assert ringing.sender == Address("phone", "+74955404444")
    assert recorded.sender == Address("telephony", "232wc3e3w3s222")
    assert {(p.refers_to, p.known_as, p.proves) for p in (ringing, recorded)} == {((key,), (key,), (key,))}
    assert (ringing.awaits_call, recorded.awaits_call) == (False, True)


def test_a_recording_is_to_be_fetched_once_it_is_complete() -> None:
    files = [parsed.remote_files for parsed in heard(mango_flow("recording"))]
    file = RemoteFile("R1==", "recording.mp3", "audio/mpeg")
    assert files == [(), (file,), (file,)]


def test_a_call_of_ours_belongs_to_the_client_who_is_called() -> None:
    told = heard(zadarma_flow())[-1]
    assert (told.direction, told.sender, told.recipients) == ("outbound", Address("phone", CLIENT), ("100",))
    assert told.cannot_reply == f"A call is not answered in writing: call back {CLIENT}."
