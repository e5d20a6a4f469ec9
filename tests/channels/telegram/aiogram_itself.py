"""aiogram as it is, with all its models, in a process of its own: Okno imports it without them."""

import asyncio
import sys

import aiogram
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramConflictError

from tests.peers.telegram import TOKEN


async def main(url: str) -> None:
    """Ask who we are, twice for what waits, and answer; print what comes each time."""
    async with aiogram.Bot(TOKEN, AiohttpSession(api=TelegramAPIServer.from_base(url))) as bot:
        print((await bot.get_me()).id)
        try:
            await bot.get_updates()
        except TelegramConflictError:
            print("a conflict")
        for update in await bot.get_updates():
            print(update.message and update.message.text)
        print((await bot.send_message(7, "Да")).text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
