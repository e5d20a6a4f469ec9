"""Whoever refuses a form's post, the page that sent it can read why: otherwise it looks like a lost connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from services.ingest.webhooks import Webhooks
from shared.connector import Channel, load
from shared.parsed import RawItem
from shared.registry.channels import Registered
from shared.transport.protocol import TransportUnavailable

SHOP = "https://shop.example"
CHANNEL = Channel(UUID(int=7), "web_form", "site", load("web_form").complete({"allowed_origins": SHOP}))
READABLE = {"access-control-allow-origin": SHOP, "access-control-expose-headers": "Retry-After", "vary": "Origin"}


class OneForm:
    """A directory of one form."""

    state: Literal["active", "paused"] = "active"

    def known(self, kind: str, id_or_name: str) -> Registered | None:
        return Registered(CHANNEL, self.state, "") if (kind, id_or_name) == ("web_form", "site") else None

    async def reread(self) -> None:
        """There is no more to know."""


class Broken:
    """An inlet that keeps nothing; `error` is why."""

    cursor, public_url = None, ""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def accept(self, item: RawItem) -> UUID:
        raise self.error


@pytest.fixture
def form() -> OneForm:
    return OneForm()


@pytest.fixture
def inlet() -> Broken:
    return Broken(TransportUnavailable("no log"))


@pytest_asyncio.fixture
async def client(form: OneForm, inlet: Broken) -> AsyncIterator[httpx.AsyncClient]:
    webhooks = Webhooks(form, load, lambda channel, kind: inlet, body_bytes=1000)  # type: ignore[arg-type, return-value]
    transport = httpx.ASGITransport(Starlette(routes=webhooks.routes(["web_form"])))
    async with httpx.AsyncClient(transport=transport, base_url="http://okno.test") as client:
        yield client


async def refused(client: httpx.AsyncClient, origin: str = SHOP, **body: object) -> tuple[int, dict[str, str]]:
    answer = await client.post("/in/forms/site", headers={"Origin": origin}, **body)  # type: ignore[arg-type]
    return answer.status_code, {name: value for name, value in answer.headers.items() if name in READABLE}


async def test_a_post_that_is_too_long_is_readably_refused(client: httpx.AsyncClient) -> None:
    assert await refused(client, data={"message": "x" * 2000}) == (413, READABLE)


async def test_a_post_that_could_not_be_kept_is_readably_refused(client: httpx.AsyncClient, inlet: Broken) -> None:
    assert await refused(client, data={"message": "x"}) == (503, READABLE)
    inlet.error = RuntimeError("a bug")
    assert await refused(client, data={"message": "x"}) == (500, READABLE)


async def test_a_paused_form_says_so_readably(client: httpx.AsyncClient, form: OneForm) -> None:
    form.state = "paused"
    assert await refused(client, data={"message": "x"}) == (503, READABLE)


async def test_a_page_of_another_origin_may_read_no_refusal(client: httpx.AsyncClient) -> None:
    assert await refused(client, "https://elsewhere.example", data={"message": "x" * 2000}) == (413, {})
    assert await refused(client, "https://elsewhere.example", data={"message": "x"}) == (403, {"vary": "Origin"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "TRACE"])
async def test_a_wrong_method_is_told_readably_what_a_forms_address_takes(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/in/forms/site", headers={"Origin": SHOP})
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
    assert answer.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize("path", ["/forms/site", "/forms/site.js"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT"])
async def test_a_wrong_method_is_told_what_the_address_of_a_shown_form_takes(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
