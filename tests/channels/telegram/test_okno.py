"""The whole way in one process: a client writes to the bot, an operator answers, the client has it in the same chat."""

import time
from collections.abc import Callable

import httpx

from tests.benchmarks.telegram import connected


def test_a_question_in_telegram_is_answered_in_telegram() -> None:
    with connected() as running:
        running.telegram.say(7, 15, "Здравствуйте")
        _until(lambda: running.count() == 1)
        headers = {"Authorization": f"Bearer {running.token}"}
        with httpx.Client(base_url=running.url, headers=headers, trust_env=False, verify=False, timeout=30) as client:
            [conversation] = client.get("/api/v1/conversations").json()["items"]
            [question] = client.get(f"/api/v1/conversations/{conversation['id']}/messages").json()["items"]
            assert (question["text"], question["external_id"], question["author"]["name"]) == (
                "Здравствуйте",
                "7:15",
                "Анна",
            )
            path = f"/api/v1/conversations/{conversation['id']}"
            client.post(f"{path}/typing")
            _until(lambda: any(call.method == "sendChatAction" for call in running.telegram.api.calls))
            client.post(f"{path}/replies", json={"text": "Добрый день", "answers": question["id"]})
        _until(lambda: bool(running.telegram.bot.sent))
        [answer] = running.telegram.bot.sent
        assert (answer["chat"]["id"], answer["text"]) == (7, "Добрый день")
        assert answer["reply_to_message"]["message_id"] == 15
        _until(lambda: len(running.telegram.bot.confirmed_ids()) == 1)


def _until(reached: Callable[[], bool], timeout_seconds: float = 90) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
