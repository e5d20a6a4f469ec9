"""Telegram, embedded: 10,000 updates onto the timeline, plain and through faults; 1,000 replies beside a flood."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.inbound import inbound_id
from shared.transport.embedded_log import PARTITIONS
from tests.benchmarks.load import percentile
from tests.benchmarks.table import Figure
from tests.peers.okno import OknoProcess
from tests.peers.process import free_port
from tests.peers.telegram import TOKEN, TelegramServer
from tests.peers.telegram_api.bot import message

UPDATES, CHATS = 10_000, 500
REPLIES, REPLIES_PER_SECOND, FLOOD_SECONDS = 1_000, 25, 5
"""Telegram lets a bot send thirty messages a second."""
DEADLINE_SECONDS = 240.0


@dataclass(slots=True)
class Running:
    """An `okno up` with one bot, and the Telegram it is connected to."""

    okno: OknoProcess
    telegram: TelegramServer
    url: str
    token: str
    database: Path
    channel_id: UUID
    durable: set[str] = field(default_factory=set)
    """Inbound ids that are in the log between the services, which keeps them for a day."""
    early: list[str] = field(default_factory=list)
    _read_to: dict[int, int] = field(default_factory=dict)

    def timeline(self) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self._rows("SELECT body FROM timeline ORDER BY position")]

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM timeline")[0][0])

    def check_durable(self, update_ids: tuple[int, ...]) -> None:
        """Called by the peer before it forgets updates: each must be on our disk by now."""
        self._read_durable()
        wanted = set(update_ids)
        for update in self.telegram.bot.updates:
            body = update["message"]
            external_id = f"{body['chat']['id']}:{body['message_id']}"
            is_durable = str(inbound_id(self.channel_id, external_id)) in self.durable
            if update["update_id"] in wanted and not is_durable:
                self.early.append(external_id)

    def _read_durable(self) -> None:
        for partition in range(PARTITIONS):
            after = self._read_to.get(partition, 0)
            log = "SELECT position, headers FROM transport_log WHERE topic = 'okno.inbound'"
            for position, headers in self._rows(f"{log} AND partition = {partition} AND position > {after}"):
                self._read_to[partition] = max(position, self._read_to.get(partition, 0))
                self.durable.add(json.loads(headers)["ce_id"])

    def _rows(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def figures() -> Iterator[Figure]:
    with connected() as running:
        yield _plain(running)
        yield from _replies(running)
    with connected() as running:
        yield from _faults(running)


@contextmanager
def connected() -> Iterator[Running]:
    """Start Telegram and `okno up`, with a bot that polls."""
    with tempfile.TemporaryDirectory() as folder, TelegramServer() as telegram:
        settings = ["--set", f"token={TOKEN}", "--set", f"api_url={telegram.url}"]
        _okno(folder, "operators", "add", "bench@example.com", "--role", "admin")
        token = _okno(folder, "tokens", "create", "bench@example.com").strip()
        added = json.loads(_okno(folder, "channels", "add", "telegram", "Bot", *settings, "--json"))
        port = free_port()
        okno = OknoProcess(["up", "--port", str(port), "--log-level", "warning"], {"OKNO_DATA": folder})
        url, database = f"http://127.0.0.1:{port}", Path(folder) / "okno.db"
        running = Running(okno, telegram, url, token, database, UUID(added["id"]))
        with okno:
            okno.wait_for_http(running.url)
            yield running
            assert telegram.violations == []


def _okno(folder: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "services.cli", *arguments, "--data", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _push_all(telegram: TelegramServer) -> None:
    for number in range(1, UPDATES // CHATS + 1):
        for chat in range(1, CHATS + 1):
            text = f"Здравствуйте! Это сообщение {number} из чата {chat}: когда привезут заказ?"
            telegram.bot.push("message", message(chat, number, text), checked=False)


def _plain(running: Running) -> Figure:
    """From the first poll to the last message on the timeline."""
    telegram = running.telegram
    _until(lambda: bool(telegram.calls("getUpdates")))
    began = time.perf_counter()
    telegram.do(lambda: _push_all(telegram))
    _until(lambda: running.count() == UPDATES)
    return Figure("telegram: updates/s onto the timeline, 500 chats", _rate(began), "/s", 800, True)


def _rate(began: float) -> float:
    return UPDATES / (time.perf_counter() - began)


def _faults(running: Running) -> Iterator[Figure]:
    """The same with kill -9 of ours, restarts of Telegram, and updates given again."""
    telegram = running.telegram
    telegram.bot.on_confirm = running.check_durable
    telegram.do(lambda: _push_all(telegram))
    for round_ in range(1, 5):
        _until(lambda: len(set(telegram.bot.confirmed_ids())) >= round_ * UPDATES // 6)  # noqa: B023
        running.okno.kill()
        telegram.do(lambda: telegram.bot.redeliver(500))
        running.okno.start()
        _until(lambda: len(set(telegram.bot.confirmed_ids())) >= round_ * UPDATES // 6 + 500)  # noqa: B023
        telegram.stop()
        telegram.start()
    _until(lambda: running.count() >= UPDATES and not telegram.bot.updates)
    time.sleep(1)
    yield Figure("telegram: on the timeline after kills and redelivery", running.count(), "of 10,000", UPDATES, False)
    yield Figure("telegram: not once, or not in order of their chat", _misplaced(running), "messages", 0, False)
    yield Figure("telegram: confirmed before they were durable", len(running.early), "messages", 0, False)


def _misplaced(running: Running) -> int:
    said: dict[str, list[int]] = {}
    for entry in running.timeline():
        chat, _, number = entry["external_id"].partition(":")
        said.setdefault(chat, []).append(int(number))
    expected = list(range(1, UPDATES // CHATS + 1))
    return sum(1 for numbers in said.values() if numbers != expected) + abs(CHATS - len(said))


def _replies(running: Running) -> Iterator[Figure]:
    """Two replies to each chat, at the rate Telegram allows; one chat in ten answers 429."""
    flooded = set(range(1, CHATS + 1, 10))
    for chat in flooded:
        running.telegram.faults.flood(chat, FLOOD_SECONDS)
    asked = asyncio.run(_ask(running))
    _until(lambda: len(running.telegram.bot.sent) >= REPLIES)
    calls = {c.params["text"]: c.at for c in running.telegram.calls("sendMessage") if c.status == 200}
    others = [1000 * (calls[text] - at) for text, (chat, at) in asked.items() if chat not in flooded]
    slow = [calls[text] - at for text, (chat, at) in asked.items() if chat in flooded]
    twice = len(running.telegram.bot.sent) - len(calls)
    early = len(running.telegram.faults.too_early)
    yield Figure("telegram: p95 delay of replies to other chats", percentile(others, 0.95), "ms", 2000, False)
    yield Figure("telegram: p95 delay of replies to flooded chats", percentile(slow, 0.95), "s", 8, False)
    yield Figure("telegram: calls before retry_after had passed", early, "calls", 0, False)
    yield Figure("telegram: replies sent twice", twice, "replies", 0, False)


async def _ask(running: Running) -> dict[str, tuple[int, float]]:
    """Write the replies at a fixed rate; when each was accepted, by its text."""
    asked: dict[str, tuple[int, float]] = {}
    headers = {"Authorization": f"Bearer {running.token}"}
    async with httpx.AsyncClient(
        base_url=running.url, headers=headers, timeout=30, trust_env=False, verify=False
    ) as client:
        conversations = await _conversations(client)
        began = time.perf_counter()
        for number in range(REPLIES):
            chat = number % CHATS + 1
            await asyncio.sleep(max(0.0, began + number / REPLIES_PER_SECOND - time.perf_counter()))
            text = f"Ответ {number} в чат {chat}"
            asked[text] = chat, time.time()
            answer = await client.post(f"/api/v1/conversations/{conversations[chat]}/replies", json={"text": text})
            assert answer.status_code == 201, answer.text
    return asked


async def _conversations(client: httpx.AsyncClient) -> dict[int, str]:
    found: dict[int, str] = {}
    cursor = ""
    while True:
        page = (await client.get("/api/v1/conversations", params={"limit": 100, "cursor": cursor})).json()
        found |= {int(each["customer"]["address"]): each["id"] for each in page["items"]}
        cursor = page["next"]
        if not cursor:
            return found


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("not everything arrived")
        time.sleep(0.05)
