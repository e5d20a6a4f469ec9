"""A bot is connected with its token alone, and what is missing is said."""

import pytest

from shared.channels.telegram.config import FIELDS, bot_id, check, webhook_secret
from shared.channels.telegram.setup import set_up
from shared.connector import SetUpProblem, load
from tests.channels.telegram.bots import CHANNEL_ID, bot_channel
from tests.peers.telegram import TOKEN, TelegramServer
from tests.peers.telegram_api.bot import BOT_USERNAME

NAME = f"The bot is Okno test (@{BOT_USERNAME})."


async def test_a_bot_says_who_it_is_and_what_is_missing(telegram: TelegramServer) -> None:
    shown: list[str] = []
    done = await set_up(bot_channel(telegram.url), "", shown.append)
    polls = "Updates come by polling; no public address is needed."
    assert (done.facts, shown) == ((NAME, polls), [])  # facts are shown by whoever asked: nothing is said twice
    assert done.settings == {"username": BOT_USERNAME}
    assert [missing.split(":")[0] for missing in done.missing] == ["privacy mode is on"]
    telegram.bot.privacy = False
    assert (await set_up(bot_channel(telegram.url), "", shown.append)).missing == ()


async def test_a_webhook_is_set_with_its_secret_and_removed_without_a_loss(telegram: TelegramServer) -> None:
    telegram.say(1, 1, "waits")
    url = f"https://okno.example/in/telegram/{CHANNEL_ID}"
    done = await set_up(bot_channel(telegram.url, mode="webhook"), "https://okno.example/", lambda line: None)
    assert done.facts[1] == f"Telegram posts updates to {url}."
    assert (telegram.bot.webhook.url, telegram.bot.webhook.secret) == (url, webhook_secret(TOKEN))
    assert "message_reaction" in telegram.bot.allowed_updates
    done = await set_up(bot_channel(telegram.url), "https://okno.example", lambda line: None)
    assert done.facts[1].startswith(f"Updates come by polling; the webhook to {url} was removed")
    assert (telegram.bot.webhook.url, len(telegram.bot.updates)) == ("", 1)


async def test_a_webhook_without_a_public_address_is_refused(telegram: TelegramServer) -> None:
    with pytest.raises(SetUpProblem, match="set OKNO_PUBLIC_URL"):
        await set_up(bot_channel(telegram.url, mode="webhook"), "", lambda line: None)


async def test_a_wrong_token_is_said(telegram: TelegramServer) -> None:
    for token in ("1:x", "1234567:" + "A" * 35, "no token"):
        with pytest.raises(SetUpProblem, match="Telegram does not know this token"):
            await set_up(bot_channel(telegram.url, token=token), "", lambda line: None)


async def test_a_server_that_is_none_is_said(telegram: TelegramServer) -> None:
    telegram.faults.bad_gateway("getMe")
    with pytest.raises(SetUpProblem, match="does not answer as Telegram would"):
        await set_up(bot_channel(telegram.url), "", lambda line: None)
    telegram.stop()
    with pytest.raises(SetUpProblem, match="does not answer as Telegram would"):
        await set_up(bot_channel(telegram.url), "", lambda line: None)


def test_the_token_alone_is_enough() -> None:
    kind = load("telegram")
    assert kind.problems({"token": TOKEN}) == []
    assert kind.complete({"token": TOKEN}) == {"token": TOKEN, "mode": "polling", "api_url": "", "username": ""}
    assert [field.name for field in FIELDS if field.secret] == ["token"]


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("token", "12345", "token must look like"),
        ("token", f" {TOKEN}", "token must look like"),
        ("mode", "push", "mode must be one of polling, webhook"),
        ("api_url", "file:///etc/passwd", "api_url must be a web address"),
        ("api_url", "http://[", "api_url must be a web address"),
        ("username", "a b", "username must be"),
    ],
)
def test_a_wrong_setting_is_explained(setting: str, value: str, problem: str) -> None:
    assert [each[: len(problem)] for each in load("telegram").problems({"token": TOKEN, setting: value})] == [problem]


def test_the_secret_of_the_webhook_comes_from_the_token_and_does_not_give_it_away() -> None:
    secret = webhook_secret(TOKEN)
    assert (len(secret), secret.isalnum(), secret == webhook_secret(TOKEN)) == (64, True, True)
    assert secret != webhook_secret(TOKEN + "x")
    assert TOKEN not in secret


def test_the_bots_own_id_is_in_its_token() -> None:
    assert [bot_id(TOKEN), bot_id(""), bot_id("x:y")] == [4242424242, 0, 0]


def test_a_complete_setting_is_checked_as_it_is() -> None:
    assert check(load("telegram").complete({"token": TOKEN, "api_url": "https://bots.example:8081"})) == []
