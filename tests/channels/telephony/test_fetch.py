"""Recordings: from the provider's own hosts with its credentials, later if not ready, and never from elsewhere."""

from __future__ import annotations

import pytest
from aiohttp import web

from shared.channels.telephony.api import RECORDING_BYTES, Api, ForeignAddress
from shared.channels.telephony.fetch import fetch
from shared.connector import FetchDelayed, FetchRefused
from shared.contracts.inbound import RemoteFile
from shared.parsed import ParsedFile
from tests.channels.telephony import servers
from tests.channels.telephony.phone import channel
from tests.channels.telephony.test_history import MAKERS, mango, twilio, uis, zadarma

RECORDING = RemoteFile("R1==", "recording.mp3", "audio/mpeg")
FETCHED = ParsedFile("recording.mp3", "audio/mpeg", servers.AUDIO)


async def test_a_recording_of_twilio_is_fetched() -> None:
    async with servers.served(servers.Twilio(recordings=[{"sid": "RE1"}])) as server:
        assert await fetch(twilio(server), RemoteFile("RE1", "recording.mp3", "audio/mpeg")) == FETCHED
        with pytest.raises(FetchRefused):
            await fetch(twilio(server), RemoteFile("RE2", "recording.mp3", "audio/mpeg"))


async def test_a_recording_of_mango_is_fetched_by_the_link_it_gives() -> None:
    async with servers.served(servers.Mango()) as server:
        assert await fetch(mango(server), RECORDING) == FETCHED
    assert [method for method, *_ in server.asked] == ["POST", "GET"]
    assert "Authorization" not in server.asked[1][2]


async def test_a_recording_of_zadarma_is_fetched_by_the_link_it_gives() -> None:
    async with servers.served(servers.Zadarma()) as server:
        assert await fetch(zadarma(server), RECORDING) == FETCHED
    assert server.asked[0][2]["call_id"] == "R1=="


async def test_a_recording_of_uis_is_fetched_by_its_link() -> None:
    async with servers.served(servers.Uis()) as server:
        link = RemoteFile(f"{server.url}/system/media/talk/500/2e67/", "recording.mp3", "audio/mpeg")
        assert await fetch(uis(server), link) == FETCHED


async def test_a_recording_of_an_own_pbx_is_fetched_below_its_address() -> None:
    async with servers.served(servers.Uis()) as server:
        own = channel("generic", secret="whsec_" + "A" * 32, api_url=server.url)
        link = RemoteFile(f"{server.url}/system/media/talk/500/2e67/", "recording", "audio/mpeg")
        assert await fetch(own, link) == FETCHED
    nowhere = channel("generic", secret="whsec_" + "A" * 32)
    with pytest.raises(FetchRefused):
        await fetch(nowhere, link)


# --- not ready, gone, too large ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mango", "zadarma"])
async def test_a_recording_that_is_not_ready_is_fetched_later(name: str) -> None:
    make, channel_of = MAKERS[name]
    async with servers.served(make()) as server:
        if isinstance(server, servers.Zadarma):
            server.has_recording = False
        with pytest.raises(FetchDelayed) as delayed:
            await fetch(channel_of(server), RemoteFile("R9==", "recording.mp3", "audio/mpeg"))
    assert delayed.value.retry_after_seconds == 60


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("status", [401, 429, 503])
async def test_a_provider_in_trouble_is_asked_later(name: str, status: int) -> None:
    make, channel_of = MAKERS[name]
    async with servers.served(
        make(instead=lambda: web.Response(status=status, headers={"Retry-After": "7"}))
    ) as server:
        with pytest.raises(FetchDelayed) as delayed:
            await fetch(channel_of(server), _of(name, server))
    assert delayed.value.retry_after_seconds == 7


@pytest.mark.parametrize("name", MAKERS)
async def test_a_page_is_no_recording(name: str) -> None:
    make, channel_of = MAKERS[name]
    async with servers.served(
        make(instead=lambda: web.Response(text="<h1>Sorry</h1>", content_type="text/html"))
    ) as server:
        with pytest.raises(FetchDelayed):
            await fetch(channel_of(server), _of(name, server))


class Endless(servers.Server):
    """Announces more than anybody wants."""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        response.content_length = RECORDING_BYTES + 1
        await response.prepare(request)
        return response


async def test_a_recording_without_end_is_refused() -> None:
    async with servers.served(Endless()) as server:
        with pytest.raises(FetchRefused):
            await fetch(uis(server), _of("uis", server))


def _of(name: str, server: servers.Server) -> RemoteFile:
    ref = f"{server.url}/system/media/talk/500/2e67/" if name == "uis" else "R1"
    return RemoteFile(ref, "recording.mp3", "audio/mpeg")


# --- nowhere else -----------------------------------------------------------------------------------------

ELSEWHERE = [
    "http://127.0.0.1:9/x",
    "https://127.0.0.1/x",
    "https://evil.example/x",
    "https://uiscom.ru.evil.example/x",
    "https://eviluiscom.ru/x",
    "http://app.uiscom.ru/x",
    "https://app.uiscom.ru:8443/x",
    "https://app.uiscom.ru@evil.example/x",
    "https://user@app.uiscom.ru/x",
    "https://[::1]/x",
    "https://[/x",
    "https://app.uiscom.ru:port/x",
    "file:///etc/passwd",
    "app.uiscom.ru/x",
    "",
]


@pytest.mark.parametrize("ref", ELSEWHERE)
async def test_a_recording_elsewhere_is_never_fetched(ref: str) -> None:
    with pytest.raises(FetchRefused):
        await fetch(channel("uis", token="a-token-of-the-address"), RemoteFile(ref, "recording.mp3", "audio/mpeg"))


async def test_an_own_address_is_the_only_one() -> None:
    async with servers.served(servers.Uis()) as server:
        link = RemoteFile("https://app.uiscom.ru/system/media/talk/500/2e67/", "recording.mp3", "audio/mpeg")
        with pytest.raises(FetchRefused):
            await fetch(uis(server), link)


@pytest.mark.parametrize("link", ["http://169.254.169.254/latest/", "https://evil.example/1.mp3", "//evil.example/1"])
async def test_a_redirect_elsewhere_is_not_followed(link: str) -> None:
    async with servers.served(servers.Mango(link=link)) as server:
        with pytest.raises(FetchRefused):
            await fetch(mango(server), RECORDING)


async def test_redirects_in_a_circle_end() -> None:
    again = servers.Uis(instead=lambda: web.Response(status=302, headers={"Location": "/again"}))
    async with servers.served(again) as server:
        with pytest.raises(FetchDelayed):
            await fetch(uis(server), _of("uis", server))


@pytest.mark.parametrize("host", ["uiscom.ru", "app.uiscom.ru"])
def test_the_providers_own_hosts_are_asked(host: str) -> None:
    opened = Api(None, "https://dataapi.uiscom.ru", ("uiscom.ru",))  # type: ignore[arg-type]
    assert opened.checked(f"https://{host}/x") == f"https://{host}/x"
    with pytest.raises(ForeignAddress):
        opened.checked(f"https://{host}.example/x")
