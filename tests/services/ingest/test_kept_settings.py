"""A receiver that keeps a new token runs on with it; whatever else changes its channel starts it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.ingest import supervise
from services.ingest.main import Ingest
from shared.blobs import Blobs
from shared.channels.email.receive import KeepsSettings
from shared.connector import Channel, Inlet
from shared.database.protocol import Database, DatabaseUnavailable
from tests.services.fakes import MemoryTransport, lines_kind, loader, registry_of, settings_of, until

SETTINGS = {"address": "support@okno.example", "smtp_host": "smtp.okno.example", "oauth_refresh_token": "token-0"}


class Mailbox:
    """A mailbox in an ingest process; `started` are the settings its receivers began with, `inlet` is the last's."""

    def __init__(self, database: Database, blobs: Blobs, folder: Path) -> None:
        self.database, self.blobs, self.folder = database, blobs, folder
        self.registry = registry_of(database)
        self.started: list[tuple[str, str]] = []
        self.breaks = asyncio.Event()
        self.kind = lines_kind("email", receives_by="polling")
        self.kind.modules["receive"] = SimpleNamespace(receiver=self.receiver)

    def receiver(self, channel: Channel, inlet: Inlet) -> object:
        return SimpleNamespace(run=lambda: self.run(channel, inlet))

    async def run(self, channel: Channel, inlet: Inlet) -> None:
        assert isinstance(inlet, KeepsSettings)
        self.inlet = inlet
        self.started.append((channel.settings["oauth_refresh_token"], channel.settings["imap_folder"]))
        await self.breaks.wait()
        self.breaks.clear()
        raise ConnectionError("broken")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Ingest]:
        self.channel = await self.registry.add("email", "Support", SETTINGS)
        load, settings = loader(self.kind), settings_of(self.folder)
        ingest = Ingest(settings, self.database, MemoryTransport(), self.registry, self.blobs, load, lambda: ["email"])
        await ingest.start()
        try:
            await until(lambda: self.started)
            yield ingest
        finally:
            await ingest.stop()

    async def stored(self) -> str:
        return (await self.registry.find("Support")).channel.settings["oauth_refresh_token"]

    async def seen(self, ingest: Ingest, **settings: str) -> None:
        """Wait until the process has seen these settings in the registry, and has had its time to act on them."""
        directory = ingest._directory
        await until(lambda: settings.items() <= directory.by_id(self.channel.id).channel.settings.items())
        await until(lambda: not directory._changed.is_set())


@pytest.fixture
def mailbox(database: Database, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setattr(supervise, "backoff_seconds", lambda failures, chance: 0.02)
    return Mailbox(database, blobs, tmp_path)


async def test_a_receiver_runs_on_with_the_token_it_kept(mailbox: Mailbox) -> None:
    async with mailbox.running() as ingest:
        for token in ("token-1", "token-2"):
            await mailbox.inlet.keep_settings({"oauth_refresh_token": token})
            assert await mailbox.stored() == token
            await mailbox.seen(ingest, oauth_refresh_token=token)
        assert mailbox.started == [("token-0", "INBOX")]


async def test_a_receiver_that_failed_begins_with_the_token_it_kept(mailbox: Mailbox) -> None:
    async with mailbox.running():
        await mailbox.inlet.keep_settings({"oauth_refresh_token": "token-1"})
        mailbox.breaks.set()
        await until(lambda: len(mailbox.started) == 2)
        assert mailbox.started == [("token-0", "INBOX"), ("token-1", "INBOX")]


async def test_what_a_person_changes_starts_the_receiver_again_with_both(mailbox: Mailbox) -> None:
    async with mailbox.running() as ingest:
        await mailbox.inlet.keep_settings({"oauth_refresh_token": "token-1"})
        await mailbox.seen(ingest, oauth_refresh_token="token-1")
        await mailbox.registry.change(mailbox.channel, {"imap_folder": "Support"})
        await until(lambda: len(mailbox.started) == 2)
        await mailbox.registry.change(mailbox.channel, {"oauth_refresh_token": "token-0"})
        await until(lambda: len(mailbox.started) == 3)
        assert mailbox.started == [("token-0", "INBOX"), ("token-1", "Support"), ("token-0", "Support")]


async def test_a_token_that_cannot_be_kept_is_told_and_used_all_the_same(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    async with mailbox.running():
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(mailbox.registry, "change", away)
            with pytest.raises(DatabaseUnavailable):
                await mailbox.inlet.keep_settings({"oauth_refresh_token": "token-1"})
        mailbox.breaks.set()
        await until(lambda: len(mailbox.started) == 2)
        assert (mailbox.started[1], await mailbox.stored()) == (("token-1", "INBOX"), "token-0")
