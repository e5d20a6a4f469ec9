"""The generic provider: only what is signed with the channel's secret becomes a call, whatever order it comes in."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.telephony import generic
from shared.channels.telephony.parse import parse
from shared.channels.telephony.webhook import Webhook
from shared.connector import BadInput, load
from shared.contracts.inbound import Address, Call, Leg, RemoteFile, inbound_id
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import e164, international
from tests.channels.telephony.phone import AT, Phone, channel

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byt").decode()
anything = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHANNEL = channel("generic", secret=SECRET)
TOLD_AT = datetime(2026, 11, 21, 9, 29, 58, tzinfo=UTC)
KEY = f"call:{CHANNEL.id}/c-1"


def event(state: str = "ringing", **data: Any) -> dict[str, Any]:
    call = {"call_id": "c-1", "from": "8 (916) 123-45-67", "to": "+74951234567", "direction": "inbound", **data}
    return {"type": f"call.{state}", "timestamp": "2026-11-21T09:29:58Z", "data": call}


def signature(body: bytes, id_: str, timestamp: str, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, "sha256")).decode()


def signed(body: bytes, id_: str = "wh-1", at: datetime = AT) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": signature(body, id_, timestamp)}


def read(event: Any, id_: str = "wh-1") -> Parsed:
    return parse(RawItem(json.dumps(event).encode(), "application/json", AT, id_), CHANNEL)


BODY = json.dumps(event()).encode()


async def test_a_signed_webhook_is_kept_as_it_came_and_answered_with_its_id():
    phone = Phone(CHANNEL)
    answer = await phone.post(BODY, signed(BODY))
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "id": str(inbound_id(CHANNEL.id, "wh-1"))})
    assert phone.items == [RawItem(BODY, "application/json", AT, "wh-1", {"provider": "generic"})]


async def test_one_good_signature_among_several_is_enough():
    headers = signed(BODY)
    headers["webhook-signature"] = f"v1a,abc v1,not-base64! {signature(b'x', 'y', '1')} {headers['webhook-signature']}"
    assert (await Phone(CHANNEL).post(BODY, headers)).status_code == 200


GOOD = signed(BODY)
NOT_AUTHENTIC: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing signed": (BODY, {}),
    "another body": (BODY.replace(b"c-1", b"c-2"), GOOD),
    "another id": (BODY, {**GOOD, "webhook-id": "wh-2"}),
    "another time": (BODY, {**GOOD, "webhook-timestamp": str(int(AT.timestamp()) + 1)}),
    "another version": (BODY, {**GOOD, "webhook-signature": GOOD["webhook-signature"].replace("v1,", "v2,")}),
    "no signature": (BODY, {**GOOD, "webhook-signature": ""}),
    "no id": (BODY, signed(BODY, id_="")),
    "an endless id": (BODY, signed(BODY, id_="i" * 256)),
    "a time that is none": (BODY, {**GOOD, "webhook-timestamp": "now"}),
    "another secret": (
        BODY,
        {**GOOD, "webhook-signature": signature(BODY, "wh-1", GOOD["webhook-timestamp"], "whsec_" + "A" * 32)},
    ),
    "six minutes old": (BODY, signed(BODY, at=AT - timedelta(minutes=6))),
    "six minutes ahead": (BODY, signed(BODY, at=AT + timedelta(minutes=6))),
}


@pytest.mark.parametrize("case", NOT_AUTHENTIC)
async def test_what_is_not_signed_is_refused_and_nothing_is_kept(case: str):
    phone = Phone(CHANNEL)
    answer = await phone.post(*NOT_AUTHENTIC[case])
    assert (answer.status_code, phone.items) == (401, [])
    assert answer.headers["www-authenticate"]


@anything
@given(st.integers(0, len(BODY) + 200), st.integers(1, 255))
def test_no_changed_byte_of_body_id_time_or_signature_is_admitted(place: int, change: int):
    covered = [BODY, *(value.encode() for value in GOOD.values())]
    place %= sum(map(len, covered)) - len("v1,")
    for n, part in enumerate(covered):
        if n == 3:
            place += len("v1,")
        if place < len(part):
            covered[n] = part[:place] + bytes([part[place] ^ change]) + part[place + 1 :]
            break
        place -= len(part)
    body, *values = covered
    headers = dict(zip(GOOD, (value.decode("latin-1") for value in values), strict=True))
    with pytest.raises(BadInput) as refused:
        generic.admit(Webhook(headers, body, AT), CHANNEL.settings)
    assert refused.value.status == 401


def test_no_other_spelling_of_the_signature_is_admitted():
    good = GOOD["webhook-signature"]
    for place, byte in itertools.product(range(len(good)), range(256)):
        spelled = good[:place] + chr(byte) + good[place + 1 :]
        headers = {**GOOD, "webhook-signature": spelled}
        assert admitted(headers) == (spelled == good)


def admitted(headers: dict[str, str]) -> bool:
    try:
        return generic.admit(Webhook(headers, BODY, AT), CHANNEL.settings).key == "wh-1"
    except BadInput:
        return False


@pytest.mark.parametrize(("body", "status"), [(b'{"type": ', 400), (b"[]", 400), (b" " * (256 * 1024 + 1), 413)])
async def test_signed_junk_is_refused(body: bytes, status: int):
    phone = Phone(CHANNEL)
    answer = await phone.post(body, signed(body))
    assert (answer.status_code, phone.items) == (status, [])


async def test_what_could_not_be_made_durable_is_not_confirmed():
    phone = Phone(CHANNEL)
    phone.broken = True
    assert (await phone.post(BODY, signed(BODY))).status_code == 503


# --- understanding ----------------------------------------------------------------------------------------


def test_a_finished_call_has_all_the_provider_told():
    told = {
        "answered_by": "101",
        "waiting_seconds": 12,
        "talking_seconds": 95.4,
        "recording": "https://pbx.example/r/1",
    }
    number = "+79161234567"
    assert read(event("finished", **told)) == Parsed(
        external_id="c-1",
        dedup_key="c-1/wh-1",
        sender=Address("phone", number),
        occurred_at=TOLD_AT,
        kind="call",
        recipients=("+74951234567",),
        cannot_reply=f"A call is not answered in writing: call back {number}.",
        refers_to=(KEY,),
        known_as=(KEY,),
        thread_key=number,
        call=Call(
            "finished", "inbound", number, "+74951234567", "101", 12, 95, "https://pbx.example/r/1", ended_at=TOLD_AT
        ),
        proves=(KEY,),
    )


def test_who_talks_is_a_leg_of_the_call():
    number, line = "+79161234567", "+74951234567"
    leg = Leg("101", "101", "answered", at=TOLD_AT, answered=True, answered_at=TOLD_AT)
    assert read(event("answered", answered_by="101")).call == Call(
        "answered", "inbound", number, line, answered_at=TOLD_AT, legs=(leg,)
    )
    held = Leg("101", "101", "on_hold", at=TOLD_AT, answered=True)
    assert read(event("on_hold", answered_by="101")).call == Call("answered", "inbound", number, line, legs=(held,))
    next_ = Leg("102", "102", "answered", at=TOLD_AT, answered=True, answered_at=TOLD_AT, transferred_from="101")
    transferred = read(event("transferred", answered_by="101", transferred_to="102")).call
    assert transferred == Call("answered", "inbound", number, line, legs=(next_,))


def test_a_recording_is_fetched_only_below_the_address_the_channel_names():
    told = event("recorded", recording="https://pbx.example/rec/1.mp3")
    assert read(told).remote_files == ()
    item = RawItem(json.dumps(told).encode(), "application/json", AT, "wh-1")
    near = channel("generic", secret=SECRET, api_url="https://pbx.example/rec")
    assert parse(item, near).remote_files == (RemoteFile(told["data"]["recording"], "recording", "audio/mpeg"),)
    far = channel("generic", secret=SECRET, api_url="https://pbx.example/re")
    assert parse(item, far).remote_files == ()


@pytest.mark.parametrize("path", ["/../keys", "/a/..", "/%2e%2E/keys", "/..%5ckeys"])
def test_a_recording_elsewhere_on_the_server_is_not_fetched(path: str):
    item = RawItem(json.dumps(event("recorded", recording=f"https://pbx.example/rec{path}")).encode(), "", AT, "wh-1")
    assert parse(item, channel("generic", secret=SECRET, api_url="https://pbx.example/rec")).remote_files == ()


def test_of_an_outbound_call_the_client_is_the_one_called():
    parsed = read(event(direction="outbound", **{"from": "101", "to": "+1 650 253 0000"}))
    assert (parsed.sender, parsed.recipients) == (Address("phone", "+16502530000"), ("101",))
    assert (parsed.direction, parsed.thread_key) == ("outbound", "+16502530000")


def test_a_caller_who_withheld_the_number_is_known_by_the_call_only():
    parsed = read(event(**{"from": "Anonymous"}))
    assert (parsed.sender, parsed.thread_key) == (Address("telephony", "c-1"), "c-1")
    assert parsed.cannot_reply == "The number was withheld: there is nobody to call back."


def test_the_webhooks_of_a_call_are_different_items_of_one_call_in_any_order():
    told = [(read(event(state), f"wh-{n}")) for n, state in enumerate(("ringing", "answered", "finished"))]
    for order in itertools.permutations(told):
        assert {parsed.external_id for parsed in order} == {"c-1"}
        assert len({parsed.dedup_key for parsed in order}) == 3
    assert read(event("ringing"), "wh-0").dedup_key == told[0].dedup_key


def test_without_a_timestamp_a_call_happened_when_it_was_told():
    assert read({key: value for key, value in event().items() if key != "timestamp"}).occurred_at == AT


def test_what_is_told_from_the_future_happened_when_it_was_told():
    assert read({**event(), "timestamp": "2099-01-01T00:00:00Z"}).occurred_at == AT


@pytest.mark.parametrize(
    "wrong",
    [
        event("held"),
        {**event(), "type": ["call.ringing"]},
        {**event(), "data": None},
        {**event(), "timestamp": "yesterday"},
        {**event(), "timestamp": 1763717400},
        event(call_id=""),
        event(call_id="c" * 256),
        event(direction="sideways"),
        event(waiting_seconds=-1),
        event(waiting_seconds="12"),
        event(talking_seconds=True),
        event(answered_by={"name": "Анна"}),
        event(recording="https://\x00"),
        {},
    ],
)
def test_what_cannot_be_understood_goes_to_the_quarantine(wrong: dict[str, Any]):
    with pytest.raises(UnreadableItem):
        read(wrong)


json_values = (
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.just([]) | st.just({"a": 1}) | st.integers()
)


@anything
@given(
    st.dictionaries(
        st.sampled_from(["call_id", "from", "to", "direction", "answered_by", "waiting_seconds"]), json_values
    )
)
def test_whatever_is_signed_is_a_call_or_is_unreadable(data: dict[str, Any]):
    parsed = call_or_reason(event(**data))
    assert parsed if isinstance(parsed, str) else parsed.call


def call_or_reason(event: dict[str, Any]) -> Parsed | str:
    try:
        return read(event)
    except UnreadableItem as reason:
        return str(reason)


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("89161234567", "RU", "+79161234567"),
        ("030 901820", "DE", "+4930901820"),
        ("sip:79161234567@pbx.example", "RU", "+79161234567"),
        ("101", "RU", "101"),
        ("sip:anna@pbx.example", "RU", "sip:anna@pbx.example"),
        ("restricted", "RU", ""),
    ],
)
def test_a_number_is_written_as_e164_where_it_is_one(number: str, country: str, expected: str):
    assert e164(number, country) == expected


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("74951234567", "RU", "+74951234567"),
        ("74951234567", "DE", "+74951234567"),
        ("84951234567", "RU", "+74951234567"),
        ("9161234567", "RU", "+79161234567"),
        ("4915112345678", "RU", "+4915112345678"),
        ("14158675309", "US", "+14158675309"),
        ("12345678", "RU", "12345678"),
        ("100", "RU", "100"),
        ("anonymous", "RU", ""),
    ],
)
def test_a_number_of_a_provider_that_leaves_out_the_plus(number: str, country: str, expected: str):
    assert international(number, country) == expected


# --- settings ---------------------------------------------------------------------------------------------


def test_a_secret_is_enough():
    assert load("telephony").problems({"secret": SECRET}) == []


GOOD_SETTINGS: dict[str, dict[str, str]] = {
    "generic": {"secret": SECRET},
    "twilio": {"account_sid": "AC00", "auth_token": "t"},
    "mango": {"api_key": "k", "api_salt": "s"},
    "zadarma": {"api_key": "k", "api_secret": "s", "timezone": "Europe/Moscow"},
    "uis": {"token": "a-long-enough-token"},
}


@pytest.mark.parametrize("provider", GOOD_SETTINGS)
def test_each_provider_needs_its_own_secrets_and_says_which(provider: str):
    given = {"provider": provider, **GOOD_SETTINGS[provider]}
    assert load("telephony").problems(given) == []
    for name in GOOD_SETTINGS[provider].keys() - {"timezone"}:
        [problem] = load("telephony").problems({**given, name: ""})
        assert problem.startswith(name)


@pytest.mark.parametrize(
    "settings",
    [{}, {"secret": "whsec_???"}, {"secret": "whsec_c2hvcnQ="}, {"secret": SECRET, "country": "Russia"},
     {"secret": SECRET, "provider": "pigeon"}, {"secret": SECRET, "timezone": "Moscow"},
     {"secret": SECRET, "timezone": "../../etc/passwd"}, {"secret": SECRET, "api_url": "file:///etc/passwd"},
     {"secret": SECRET, "public_url": "okno.example"}],
)  # fmt: skip
def test_a_wrong_setting_is_named(settings: dict[str, str]):
    [problem] = load("telephony").problems(settings)
    assert (["secret", *settings])[-1] in problem


def test_the_secrets_are_kept_secret():
    secret = {field.name for field in load("telephony").fields if field.secret}
    assert secret == {"secret", "auth_token", "api_key", "api_salt", "api_secret", "token", "access_token"}
