"""A client's file is fetched, or it is said why it cannot be had."""

from pathlib import Path

import pytest

from shared.channels.telegram.fetch import fetch
from shared.connector import FetchDelayed, FetchRefused
from shared.contracts.inbound import RemoteFile
from shared.parsed import ParsedFile
from tests.channels.telegram.bots import bot_channel
from tests.peers.telegram import TOKEN, TelegramServer

FILE = RemoteFile("f1", "счёт.pdf", "application/pdf", 9)


@pytest.mark.parametrize("end", ["", "/"])
async def test_a_file_is_fetched_whole_however_the_servers_address_ends(telegram: TelegramServer, end: str) -> None:
    telegram.bot.files["f1"] = b"%PDF \x00\xff" * 100_000
    fetched = await fetch(bot_channel(f"{telegram.url}{end}"), FILE)
    assert fetched == ParsedFile("счёт.pdf", "application/pdf", telegram.bot.files["f1"])


async def test_a_file_known_to_be_too_large_is_refused_without_asking() -> None:
    with pytest.raises(FetchRefused, match=r"счёт\.pdf is larger than 20 MB, the most Telegram gives to a bot"):
        await fetch(bot_channel(), RemoteFile("f1", "счёт.pdf", "application/pdf", 21 * 1024 * 1024))


async def test_a_file_the_server_finds_too_large_is_refused(telegram: TelegramServer) -> None:
    telegram.bot.files["f1"] = bytes(20 * 1024 * 1024 + 1)
    with pytest.raises(FetchRefused, match="larger than 20 MB"):
        await fetch(bot_channel(telegram.url), FILE)


async def test_a_server_of_ones_own_has_no_such_limit(telegram: TelegramServer, tmp_path: Path) -> None:
    """It puts the file on its disk and tells the path."""
    folder = tmp_path / TOKEN / "documents"
    folder.mkdir(parents=True)
    (folder / "file_1.pdf").write_bytes(b"large")
    telegram.bot.files["f1"] = b"large"
    telegram.bot.local_folder = folder
    (folder / "f1").write_bytes(b"large")
    huge = RemoteFile("f1", "счёт.pdf", "application/pdf", 10**9)
    assert (await fetch(bot_channel(telegram.url), huge)).data == b"large"
    (folder / "f1").unlink()
    with pytest.raises(FetchRefused, match="lies on the disk of your Bot API server"):
        await fetch(bot_channel(telegram.url), huge)


async def test_a_server_cannot_make_us_read_any_file(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.bot.files["f1"] = b"x"
    (tmp_path / "f1").write_bytes(b"secret")
    for folder in (tmp_path, tmp_path / TOKEN / ".."):
        telegram.bot.local_folder = folder
        with pytest.raises(FetchRefused, match="lies on the disk"):
            await fetch(bot_channel(telegram.url), FILE)


async def test_a_file_telegram_does_not_know_is_tried_again_much_later(telegram: TelegramServer) -> None:
    with pytest.raises(FetchDelayed, match="temporarily unavailable") as delayed:
        await fetch(bot_channel(telegram.url), FILE)
    assert delayed.value.retry_after_seconds == 600


async def test_a_broken_server_is_tried_again(telegram: TelegramServer) -> None:
    telegram.bot.files["f1"] = b"x"
    telegram.faults.answer(429, "Too Many Requests: retry after 7", method="getFile", retry_after=7)
    with pytest.raises(FetchDelayed) as delayed:
        await fetch(bot_channel(telegram.url), FILE)
    assert delayed.value.retry_after_seconds == 7
    for fault in (telegram.faults.bad_gateway, telegram.faults.cut):
        fault("getFile")
        with pytest.raises(FetchDelayed, match="Telegram does not answer"):
            await fetch(bot_channel(telegram.url), FILE)
    telegram.faults.cut("download", done=False, times=2)  # a GET is repeated once by itself
    with pytest.raises(FetchDelayed, match="broke off"):
        await fetch(bot_channel(telegram.url), FILE)
