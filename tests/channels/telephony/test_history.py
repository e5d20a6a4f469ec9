"""A provider's history fills what its webhooks left out: told in their words, the same each time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from shared.channels.telephony.history import history
from shared.channels.telephony.parse import parse
from shared.connector import Channel, FetchDelayed
from shared.contracts.inbound import Address, RemoteFile
from shared.domain.events import Call, Leg
from shared.parsed import Parsed
from tests.channels.telephony import servers
from tests.channels.telephony.flows import calls
from tests.channels.telephony.phone import channel

SINCE, UNTIL = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
CLIENT, LINE, OPERATOR = "+79161234567", "+74951234567", "+79990000001"


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type, misc]


async def told(channel: Channel, since: datetime = SINCE, until: datetime = UNTIL) -> list[Parsed]:
    return [parse(item, channel) for item in await history(channel, since, until)]


# --- Twilio -----------------------------------------------------------------------------------------------


def twilio_call(sid: str, status: str, **other: Any) -> dict[str, Any]:
    call = {"sid": sid, "account_sid": servers.Twilio().account_sid, "parent_call_sid": None, "from": CLIENT}
    call |= {"to": LINE, "status": status, "duration": "42", "direction": "inbound"}
    call |= {"start_time": "Sat, 21 Nov 2026 10:00:05 +0000", "end_time": "Sat, 21 Nov 2026 10:00:47 +0000"}
    return call | other


def twilio(server: servers.Server, **settings: str) -> Channel:
    own = {"account_sid": servers.Twilio().account_sid, "auth_token": "12345", "api_url": server.url}
    return channel("twilio", **own, **settings)


async def test_twilio_lists_calls_page_by_page_with_legs_and_recordings() -> None:
    leg = {"direction": "outbound-dial", "to": OPERATOR, "parent_call_sid": "CA1"}
    server = servers.Twilio(
        told=[
            twilio_call("CA1", "completed"),
            twilio_call("CA2", "completed", **leg),
            twilio_call("CA3", "in-progress"),
            twilio_call("CA4", "no-answer", duration="0"),
        ],
        recordings=[{"sid": "RE1", "call_sid": "CA1", "status": "completed", "start_time": None}],
    )
    ended = utc(2026, 11, 21, 10, 0, 47)
    async with servers.served(server):
        found = await told(twilio(server))
    assert calls(found) == {
        "CA1": Call(
            "finished", "inbound", CLIENT, LINE, talking_seconds=42, recording="RE1", ended_at=ended,
            legs=(Leg("CA2", OPERATOR, "ended", 0, ended, True, ended_at=ended),),
        ),
        "CA4": Call("missed", "inbound", CLIENT, LINE, ended_at=ended),
    }  # fmt: skip
    assert [parsed.remote_files for parsed in found][-1] == (RemoteFile("RE1", "RE1.mp3", "audio/mpeg"),)
    assert [what for _, what, _ in server.asked] == ["Calls", "Calls", "Recordings"]
    assert server.asked[0][2]["StartTime>"] == "2026-11-21T00:00:00Z"


async def test_of_a_call_that_we_started_twilio_tells_the_clients_leg() -> None:
    ours = {"direction": "outbound-api", "from": LINE, "to": OPERATOR}
    client = {"direction": "outbound-dial", "from": LINE, "to": CLIENT, "parent_call_sid": "CA1"}
    server = servers.Twilio(told=[twilio_call("CA1", "completed", **ours), twilio_call("CA2", "completed", **client)])
    async with servers.served(server):
        (parsed,) = await told(twilio(server, caller_number=LINE))
    assert (parsed.external_id, parsed.sender, parsed.direction) == ("CA1", Address("phone", CLIENT), "outbound")


# --- Mango ------------------------------------------------------------------------------------------------

CSV = """[R1==,R2==];1398956978;1398956995;1398956985;;74955404444;123;12345678;1120;74951234567;E1
[];1398957005;1398957015;1398957005;;74955404444;321;87654321;1110;74951234567;E1
[];1398960000;1398960030;0;;74955404444;123;12345678;1122;74951234567;E2
[];1398961000;1398961030;1398961010;101;;;79161234567;1110;74951234567;E3
[];1398962000;1398962030;1398962010;101;;102;;1110;;E4
"""


def mango(server: servers.Server) -> Channel:
    return channel("mango", api_key="qwerty123", api_salt="salt456", api_url=server.url)


async def test_mango_gives_statistics_of_legs_that_become_calls() -> None:
    server = servers.Mango(csv=CSV)
    async with servers.served(server):
        found = await told(mango(server))
    shown = {id_: (c.state, c.direction, c.from_, c.to, c.answered_by) for id_, c in calls(found).items()}
    assert shown == {
        "E1": ("finished", "inbound", "+74955404444", LINE, "321"),
        "E2": ("missed", "inbound", "+74955404444", LINE, ""),
        "E3": ("finished", "outbound", LINE, CLIENT, "101"),
    }
    first = calls(found)["E1"]
    assert (first.waiting_seconds, first.talking_seconds) == (7, 30)
    refs = [file.ref for parsed in found for file in parsed.remote_files]
    assert refs == ["R1==", "R2=="]
    assert [path for _, path, _ in server.asked] == ["/vpbx/stats/request"] + ["/vpbx/stats/result"] * 2


# --- Zadarma ----------------------------------------------------------------------------------------------


def zadarma_call(id_: str, **other: Any) -> dict[str, Any]:
    call = {"call_id": "1439981389.2702773", "sip": "100", "callstart": "2026-11-21 14:26:47", "seconds": 42}
    call |= {"clid": '"Anna" <79161234567>', "destination": "74951234567", "disposition": "answered"}
    return call | {"is_recorded": "true", "pbx_call_id": id_} | other


def zadarma(server: servers.Server, **settings: str) -> Channel:
    return channel("zadarma", api_key="zkey", api_secret="zsecret", api_url=server.url, **settings)


async def test_zadarma_gives_the_statistics_of_the_pbx_on_the_accounts_clock() -> None:
    server = servers.Zadarma(
        told=[
            zadarma_call("in_1"),
            zadarma_call("in_2", disposition="no answer", seconds=0, is_recorded="false"),
            zadarma_call("out_3", sip="100", clid="74951234567", destination="79161234567", is_recorded="false"),
        ]
    )
    async with servers.served(server):
        found = await told(zadarma(server, timezone="Europe/Moscow"))
    began = utc(2026, 11, 21, 11, 26, 47)
    assert {id_: (c.state, c.direction, c.from_, c.to, c.started_at) for id_, c in calls(found).items()} == {
        "in_1": ("finished", "inbound", CLIENT, LINE, began),
        "in_2": ("missed", "inbound", CLIENT, LINE, began),
        "out_3": ("finished", "outbound", LINE, CLIENT, began),
    }
    assert calls(found)["in_1"].recording == "1439981389.2702773"
    assert server.asked[0][2]["start"] == "2026-11-21 03:00:00"


async def test_a_long_time_is_asked_of_zadarma_month_by_month() -> None:
    server = servers.Zadarma()
    async with servers.served(server):
        assert await told(zadarma(server), utc(2026, 9, 1), utc(2026, 11, 1)) == []
    starts = [query["start"] for _, _, query in server.asked]
    assert starts == ["2026-09-01 00:00:00", "2026-10-01 00:00:00", "2026-10-31 00:00:00"]


# --- UIS --------------------------------------------------------------------------------------------------


def uis_call(id_: int, **other: Any) -> dict[str, Any]:
    call = {"id": id_, "start_time": "2026-11-21 12:30:00", "finish_time": "2026-11-21 12:30:50", "direction": "in"}
    call |= {"contact_phone_number": "79161234567", "virtual_phone_number": "74951234567", "is_lost": False}
    call |= {"talk_duration": 42, "wait_duration": 8, "total_duration": 50, "call_records": []}
    call |= {"last_answered_employee_id": 25, "last_answered_employee_full_name": "Иванов Иван"}
    return call | other


def uis(server: servers.Server, **settings: str) -> Channel:
    own = {"token": "a-token-of-the-address", "access_token": "an-access-token", "api_url": server.url}
    return channel("uis", **(own | settings))


async def test_uis_gives_a_report_of_calls_and_their_recordings() -> None:
    nobody = {"last_answered_employee_id": None, "last_answered_employee_full_name": None, "talk_duration": 0}
    server = servers.Uis(
        told=[uis_call(500, call_records=["2e67"]), uis_call(501, is_lost=True, **nobody),
              uis_call(502, direction="out", **nobody)]
    )  # fmt: skip
    async with servers.served(server):
        found = await told(uis(server))
    assert {id_: (c.state, c.direction, c.from_, c.to, c.answered_by) for id_, c in calls(found).items()} == {
        "500": ("finished", "inbound", CLIENT, LINE, "Иванов Иван"),
        "501": ("missed", "inbound", CLIENT, LINE, ""),
        "502": ("failed", "outbound", LINE, CLIENT, ""),
    }
    assert calls(found)["500"].recording == f"{server.url}/system/media/talk/500/2e67/"
    assert calls(found)["500"].started_at == utc(2026, 11, 21, 12, 30)


async def test_without_the_key_of_its_api_uis_tells_no_history() -> None:
    async with servers.served(servers.Uis()) as server:
        assert await history(uis(server, access_token=""), SINCE, UNTIL) == []


# --- all of them ------------------------------------------------------------------------------------------


async def test_the_generic_provider_has_no_history() -> None:
    assert await history(channel("generic", secret="whsec_" + "A" * 32), SINCE, UNTIL) == []


async def test_the_same_history_gives_the_same_items() -> None:
    server = servers.Zadarma(told=[zadarma_call("in_1")])
    async with servers.served(server):
        first, again = await told(zadarma(server)), await told(zadarma(server))
    assert [parsed.dedup_key for parsed in first] == [parsed.dedup_key for parsed in again]


MAKERS = {"twilio": (servers.Twilio, twilio), "mango": (servers.Mango, mango), "zadarma": (servers.Zadarma, zadarma)}
MAKERS |= {"uis": (servers.Uis, uis)}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("status", [200, 401, 429, 500])
async def test_a_provider_that_gives_no_history_is_asked_again_later(name: str, status: int) -> None:
    make, channel_of = MAKERS[name]
    words = {"status": "error", "error": {"message": "no"}}
    async with servers.served(make(instead=lambda: web.json_response(words, status=status))) as server:
        with pytest.raises(FetchDelayed):
            await history(channel_of(server), SINCE, UNTIL)


@pytest.mark.parametrize("name", MAKERS)
async def test_a_provider_that_is_not_there_is_asked_again_later(name: str) -> None:
    make, channel_of = MAKERS[name]
    async with servers.served(make()) as server:
        gone = channel_of(server)
    with pytest.raises(FetchDelayed):
        await history(gone, SINCE, UNTIL)
