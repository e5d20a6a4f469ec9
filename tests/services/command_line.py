"""The `okno` command run in the test process: what it prints, and its exit status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services import cli
from services.house import House, open_house
from services.projector import inbound
from shared.contracts.codec import Contract
from shared.event_store.store import EventStore
from shared.settings import read_settings
from tests.examples import Clock
from tests.read_models.contents import show

MAILBOX = (
    "channels", "add", "email", "Support", "--set", "address=support@okno.example", "--set", "imap_host=127.0.0.1",
    "--set", "smtp_host=127.0.0.1", "--set", "imap_password=s3cret", "--set", "smtp_password=s3cret", "--no-check",
)  # fmt: skip


@dataclass
class Cli:
    """Runs commands on one data directory."""

    data: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, status: int = 0) -> str:
        assert cli.main([*arguments, "--data", str(self.data)]) == status
        return self.capture.readouterr().out

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", status=status))

    def wrong(self, *arguments: str, status: int = 2) -> str:
        """Return what a command that fails says: one line."""
        assert cli.main([*arguments, "--data", str(self.data)]) == status
        out, err = self.capture.readouterr()
        assert (out, err.count("\n"), err.startswith("okno: ")) == ("", 1, True)
        return err.removeprefix("okno: ").rstrip()

    def in_house(self, work: Callable[[House], Any]) -> Any:
        async def main() -> Any:
            house = open_house(read_settings({}, self.data))
            try:
                return await work(house)
            finally:
                await house.close()

        return asyncio.run(main())

    def receive(self, *contracts: Contract, at: Clock | None = None) -> Any:
        """Record what came in, as of a moment, and show it."""

        async def work(house: House) -> Any:
            store = EventStore(house.database, at or Clock())
            handled = await store.record(lambda session, tx: inbound.receive(session, tx, contracts))
            await show(house.database)
            return handled.happenings

        return self.in_house(work)


@pytest.fixture
def okno(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in ("DATA", "DATABASE_URL", "KAFKA", "BLOBS", "SECRET_KEY", "PUBLIC_URL"):
        monkeypatch.delenv(f"OKNO_{name}", raising=False)
    # The log of a process goes to its stderr for good; the process of the tests keeps its own.
    monkeypatch.setattr(cli, "set_up_logs", lambda level: None)
    return Cli(tmp_path / "data", capsys)
