"""The Bot API of the tests keeps the official server's rules, or it would prove nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.peers.okno import ROOT
from tests.peers.telegram import TOKEN, TelegramServer
from tests.peers.telegram_api.bot import message, private_chat
from tests.peers.telegram_api.spec import Spec, load


class Client:
    """Calls methods by name, without any client library's opinion."""

    def __init__(self, telegram: TelegramServer, http: httpx.AsyncClient) -> None:
        self.url, self.http = f"{telegram.url}/bot{TOKEN}", http

    async def __call__(self, method: str, **params: Any) -> Any:
        answer = await self.http.post(f"{self.url}/{method}", json=params)
        body = answer.json()
        return body["result"] if body["ok"] else (answer.status_code, body["description"])

    async def ids(self, **params: Any) -> list[int]:
        return [update["update_id"] for update in await self("getUpdates", **params)]


@pytest_asyncio.fixture
async def call(telegram: TelegramServer) -> AsyncIterator[Client]:
    telegram.bot.chats[7] = private_chat(7)
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as http:
        yield Client(telegram, http)


async def test_updates_are_given_again_until_a_higher_offset(telegram: TelegramServer, call: Client) -> None:
    ids = [telegram.say(7, number, "x") for number in range(1, 4)]
    assert [await call.ids(), await call.ids(offset=ids[0])] == [ids, ids]
    assert telegram.bot.confirmed_ids() == []
    assert await call.ids(offset=ids[1]) == ids[1:]
    assert await call.ids() == ids[1:]
    assert telegram.bot.confirmed_ids() == ids[:1]
    assert await call.ids(offset=-1) == ids[2:]
    assert await call.ids(offset=ids[2] + 100) == ids[2:]


async def test_at_most_a_hundred_updates_are_given(telegram: TelegramServer, call: Client) -> None:
    telegram.do(lambda: [telegram.bot.push("message", message(7, n, "x")) for n in range(1, 151)])
    assert [len(await call.ids(limit=limit)) for limit in (1, 100, 1000, 0)] == [1, 100, 100, 1]


async def test_a_long_poll_ends_when_there_is_news(telegram: TelegramServer, call: Client) -> None:
    waiting = asyncio.create_task(call.ids(timeout=20))
    await telegram.until(lambda: telegram.bot.poller is not None)
    id_ = telegram.say(7, 1, "x")
    assert await asyncio.wait_for(waiting, 10) == [id_]


async def test_a_second_poller_ends_the_first(telegram: TelegramServer, call: Client) -> None:
    first = asyncio.create_task(call("getUpdates", timeout=20))
    await telegram.until(lambda: telegram.bot.poller is not None)
    second = asyncio.create_task(call("getUpdates", timeout=1))
    status, words = await first
    assert (status, words.split(";")[0]) == (409, "Conflict: terminated by other getUpdates request")
    assert await second == []


async def test_a_webhook_excludes_polling(telegram: TelegramServer, call: Client) -> None:
    assert await call("setWebhook", url="http://127.0.0.1:1/") is True
    status, words = await call("getUpdates")
    assert (status, "deleteWebhook" in words) == (409, True)
    assert (await call("getWebhookInfo"))["url"] == "http://127.0.0.1:1/"
    assert await call("deleteWebhook") is True
    assert await call("getUpdates") == []


REFUSED: dict[str, dict[str, Any]] = {
    "no such method": {"method": "sendTelepathy"},
    "parameter text is required": {"method": "sendMessage", "chat_id": 7},
    "unknown parameter colour": {"method": "sendMessage", "chat_id": 7, "text": "x", "colour": "red"},
    "unknown field size": {
        "method": "sendMessage",
        "chat_id": 7,
        "text": "x",
        "entities": [{"type": "bold", "offset": 0, "length": 1, "size": 1}],
    },
    "is no Boolean": {"method": "sendMessage", "chat_id": 7, "text": "x", "disable_notification": "yes"},
    "was not uploaded": {"method": "sendPhoto", "chat_id": 7, "photo": "attach://lost"},
}


@pytest.mark.skipif(not load().methods, reason="the specification in corpora/telegram is not here: 6 calls not judged")
@pytest.mark.parametrize("problem", REFUSED)
async def test_a_call_the_specification_does_not_allow_is_refused_and_noted(
    telegram: TelegramServer, call: Client, problem: str
) -> None:
    params = dict(REFUSED[problem])
    status, _ = await call(params.pop("method"), **params)
    assert status in (400, 404)
    assert [problem in each for each in telegram.violations] == [True]
    telegram.bot.violations.clear()


async def test_limits_of_a_text_are_kept(call: Client) -> None:
    assert await call("sendMessage", chat_id=7, text="a" * 4097) == (400, "Bad Request: message is too long")
    assert (await call("sendMessage", chat_id=7, text="🙂" * 2049))[0] == 400
    assert (await call("sendMessage", chat_id=7, text="🙂" * 2048))["chat"]["id"] == 7
    bold = [{"type": "bold", "offset": 1, "length": 1}]
    assert (await call("sendMessage", chat_id=7, text="🙂", entities=bold))[0] == 400
    assert await call("sendMessage", chat_id=8, text="x") == (400, "Bad Request: chat not found")


async def test_aiogram_itself_understands_the_server(telegram: TelegramServer) -> None:
    telegram.say(7, 1, "Здравствуйте")
    telegram.faults.answer(409, "Conflict: terminated by other getUpdates request", method="getUpdates")
    command = (sys.executable, "-m", "tests.channels.telegram.aiogram_itself", telegram.url)
    client = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said, _ = await client.communicate()
    assert said.decode().splitlines() == ["4242424242", "a conflict", "Здравствуйте", "Да"]


def test_without_a_specification_a_text_of_digits_stays_a_text() -> None:
    raw = {"chat_id": "8", "text": "7", "reply_markup": '{"keyboard": []}'}
    assert Spec({}, {}).call("sendMessage", raw, set()) == (
        {"chat_id": 8, "text": "7", "reply_markup": {"keyboard": []}},
        [],
    )
