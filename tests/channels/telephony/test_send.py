"""Click to call: the operator's telephone rings, then the client's; every refusal says what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from shared.channels.telephony.report import key_of
from shared.channels.telephony.send import sender
from shared.connector import Channel, SendDelayed, SenderBroken, SendError, SendFateUnknown, SendRefused, Sent
from shared.contracts.inbound import Address
from shared.contracts.outbound import OutboundReply
from tests.channels.telephony import servers
from tests.channels.telephony.phone import AT, channel
from tests.channels.telephony.test_history import MAKERS, mango, twilio, uis, zadarma

CLIENT, LINE = "+79161234567", "+74951234567"
CALL = OutboundReply(
    id=UUID(int=7),
    conversation_id=UUID(int=8),
    channel_id=UUID(int=1),
    to=(Address("phone", CLIENT),),
    subject="",
    text="",
    author="Olga",
    requested_at=AT,
    in_reply_to="",
    references=(),
    thread_key="",
    quoted=None,
    files=(),
    action="call",
    operator_address="+79990000001",
)
BY_EXTENSION = replace(CALL, operator_address="101")
OURS = f"{CALL.id}.1"


async def no_files(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)


async def send(channel: Channel, reply: OutboundReply = CALL) -> Sent:
    caller = sender(channel, no_files)
    try:
        return await caller.send(reply)
    finally:
        await caller.close()


def sent(channel: Channel, call_id: str) -> Sent:
    return Sent(call_id, (key_of(channel.id, call_id),))


# --- each provider ----------------------------------------------------------------------------------------


async def test_twilio_rings_the_operator_and_dials_the_client() -> None:
    async with servers.served(servers.Twilio()) as server:
        settings = {**twilio(server).settings, "caller_number": LINE, "public_url": "https://okno.example"}
        ours = Channel(UUID(int=1), "telephony", "", settings)
        assert await send(ours) == sent(ours, "CA" + "1" * 32)
    ((_, _, asked),) = server.asked
    assert (asked["To"], asked["From"]) == (CALL.operator_address, LINE)
    callback = f"https://okno.example/in/telephony/{ours.id}?step=our-call"
    assert asked["Twiml"] == (
        f'<Response><Dial callerId="{LINE}"><Number statusCallback="{callback}"'
        f' statusCallbackEvent="initiated ringing answered completed">{CLIENT}</Number></Dial></Response>'
    )


async def test_mango_rings_an_extension() -> None:
    async with servers.served(servers.Mango()) as server:
        assert await send(mango(server), BY_EXTENSION) == sent(mango(server), OURS)
    asked = {"command_id": OURS, "from": {"extension": "101"}, "to_number": "79161234567"}
    assert server.asked == [("POST", "/vpbx/commands/callback", asked)]


async def test_zadarma_rings_a_number_or_an_extension() -> None:
    async with servers.served(servers.Zadarma()) as server:
        for reply in (CALL, BY_EXTENSION):
            assert await send(zadarma(server), reply) == sent(zadarma(server), OURS)
    assert [asked["from"] for _, _, asked in server.asked] == ["+79990000001", "101"]
    assert {asked["to"] for _, _, asked in server.asked} == {CLIENT}


async def test_uis_rings_a_number() -> None:
    async with servers.served(servers.Uis()) as server:
        ours = uis(server, caller_number=LINE)
        assert await send(ours) == sent(ours, "237859081")
    asked = {"first_call": "operator", "switch_at_once": True, "virtual_phone_number": "74951234567"}
    asked |= {"contact": "79161234567", "operator": "79990000001", "external_id": OURS}
    assert server.asked == [("/v4.0", "start.simple_call", asked)]


# --- what cannot be done ----------------------------------------------------------------------------------


async def test_a_telephony_without_an_api_says_to_dial() -> None:
    with pytest.raises(SendRefused, match="dial the number yourself"):
        await send(channel("generic", secret="whsec_" + "A" * 32))


@pytest.mark.parametrize("action", ["message", "edit", "delete", "react"])
@pytest.mark.parametrize("name", [*MAKERS, "generic"])
async def test_nothing_is_written_through_a_telephone(name: str, action: Any) -> None:
    with pytest.raises(SendRefused, match="call instead"):
        await send(channel(name), replace(CALL, action=action))


@pytest.mark.parametrize("to", [(), (Address("email", "a@b.example"),), (Address("phone", "101"),),
                                (Address("phone", '+79161234567"/><Hangup/>'),)])  # fmt: skip
async def test_a_client_without_a_number_cannot_be_called(to: tuple[Address, ...]) -> None:
    with pytest.raises(SendRefused, match="no number"):
        await send(channel("zadarma"), replace(CALL, to=to))


@pytest.mark.parametrize("operator", ["", "Olga", "1", "sip:olga@pbx.example", "101&to=+7900"])
async def test_an_operator_who_cannot_be_reached_is_told_so(operator: str) -> None:
    with pytest.raises(SendRefused, match="your telephone"):
        await send(channel("zadarma"), replace(CALL, operator_address=operator))


@pytest.mark.parametrize(
    ("of", "reply", "words"),
    [
        (channel("twilio"), CALL, "caller_number"),
        (channel("twilio", caller_number=LINE), BY_EXTENSION, "whole numbers"),
        (channel("mango"), CALL, "extension"),
        (channel("uis", access_token="t"), CALL, "caller_number"),
        (channel("uis", caller_number=LINE), CALL, "access_token"),
        (channel("uis", caller_number=LINE, access_token="t"), BY_EXTENSION, "whole numbers"),
    ],
)
async def test_what_the_provider_cannot_do_is_said_before_it_is_asked(
    of: Channel, reply: OutboundReply, words: str
) -> None:
    with pytest.raises(SendRefused, match=words):
        await send(of, reply)


# --- how it can fail --------------------------------------------------------------------------------------


def ready(name: str, server: servers.Server) -> tuple[Channel, OutboundReply]:
    made = MAKERS[name][1](server)
    settings = {**made.settings, "caller_number": LINE}
    return Channel(made.id, made.kind, made.name, settings), BY_EXTENSION if name == "mango" else CALL


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("status", "failure"),
    [(400, SendRefused), (401, SenderBroken), (403, SenderBroken), (429, SendDelayed), (500, SendFateUnknown),
     (503, SendDelayed), (302, SendRefused)],
)  # fmt: skip
async def test_an_answer_says_whether_to_try_again(name: str, status: int, failure: type[SendError]) -> None:
    def instead() -> web.Response:
        return web.json_response({"message": "Sorry"}, status=status, headers={"Retry-After": "9"})

    async with servers.served(MAKERS[name][0](instead=instead)) as server:
        with pytest.raises(failure) as failed:
            await send(*ready(name, server))
    assert type(failed.value) is failure
    assert failed.value.retry_after_seconds == (9 if failure is SendDelayed else None)


@pytest.mark.parametrize("name", MAKERS)
async def test_without_a_connection_nothing_rang(name: str) -> None:
    async with servers.served(MAKERS[name][0]()) as server:
        gone = ready(name, server)
    with pytest.raises(SendDelayed):
        await send(*gone)


@pytest.mark.parametrize("name", MAKERS)
async def test_a_lost_answer_leaves_the_fate_unknown(name: str) -> None:
    async with servers.served(Cut()) as server:
        with pytest.raises(SendFateUnknown, match="may be ringing"):
            await send(*ready(name, server))


class Cut(servers.Server):
    """Takes a request and cuts the connection."""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@pytest.mark.parametrize(("code", "failure"), [(3104, SenderBroken), (3103, SendRefused), (5000, SendFateUnknown)])
async def test_a_refusal_of_mango_has_its_code(code: int, failure: type[SendError]) -> None:
    async with servers.served(servers.Mango(result=code)) as server:
        with pytest.raises(failure) as failed:
            await send(mango(server), BY_EXTENSION)
    assert failed.value.code == str(code)


async def test_a_wrong_key_breaks_the_channel_and_not_the_call() -> None:
    for server in (servers.Twilio(auth_token="x"), servers.Mango(api_salt="x"), servers.Zadarma(api_secret="x"),
                   servers.Uis(access_token="x")):  # fmt: skip
        name = re.sub(r".*\.", "", type(server).__name__).lower()
        async with servers.served(server):
            with pytest.raises(SenderBroken):
                await send(*ready(name, server))
        assert server.asked == []
