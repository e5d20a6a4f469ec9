"""Connections that learn when PostgreSQL's machine is gone without a word, and that leave nothing when they fail.

Of itself TCP takes 15 minutes to 2 hours.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.said import said

ALIVE: dict[str, str | int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "client_encoding": "UTF8",
}
"""libpq's names. Whoever waits for an answer learns it after 25 s (by default: 2 h), and whoever asks (15 min).

A server that only thinks for long, or whose process is stopped, confirms every packet: `Pooled.patience`. A shell with
PGCLIENTENCODING would have every letter of ours refused that is not in its alphabet.
"""
OPTIONS = (
    "-c plan_cache_mode=force_custom_plan -c jit=off -c idle_in_transaction_session_timeout=60s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=25s"
)
"""A plan made while a table was empty reads the whole of it at every look-up until the table is analyzed: a minute.
What it then believes to be dear it would compile first (JIT), which takes 300 ms.

A process that is stopped in the middle of a transaction has the log's lock, and everybody waits: the server ends it. Of
itself it never would, and it would learn only after two hours that our machine is gone.
"""
CANCEL_SECONDS = 5.0
_failed: dict[str, str] = {}


def with_alive(url: str) -> str:
    """Return libpq's settings of a URL and those above; what the URL says itself stands."""
    given = conninfo_to_dict(url)
    options = f"{OPTIONS} {given.get('options') or ''}".strip()
    return make_conninfo("", **{**ALIVE, **given, "options": options})


def let_go(error: psycopg.Error) -> None:
    """Close the socket of a connection that was not made in time.

    psycopg leaves that to Python's collector, which a service lets look seldom: one socket a try.
    """
    traceback.clear_frames(error.__traceback__)


def why_not(conninfo: str) -> str:
    """Return why no connection can be made; empty where the last that was tried could."""
    return _failed.get(conninfo, "")


class Pooled(psycopg.Connection[Any]):
    """One of a pool. Knows when it was used last."""

    used_at = 0.0
    patience: float | None = None
    """For so many seconds each statement is waited for; None: for as long as it takes."""
    schema = ""
    """Where its tables are, once somebody has asked."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        try:
            made = super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            _failed[conninfo] = " ".join(said(error).split())
            let_go(error)
            raise
        _failed.pop(conninfo, None)
        return made

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Raises OperationalError when patience ends; the connection is closed then, and the server told to stop."""
        if self.patience is None:
            return super().wait(gen, *arguments, **named)
        try:
            return super().wait(_within(gen, self.patience), *arguments, **named)
        except _PatienceEnded:
            with suppress(psycopg.Error):  # a server that is stopped cannot be told either
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.pgconn.finish()
            raise


class _PatienceEnded(psycopg.OperationalError):
    pass


def _within(waiting: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """Go on as `waiting` does, which psycopg resumes ten times a second. Raises _PatienceEnded after the seconds."""
    until = time.monotonic() + seconds
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if time.monotonic() > until:
                raise _PatienceEnded(f"the server has not answered for {seconds:.0f} s")
            wanted = waiting.send(ready)
    except StopIteration as end:
        return end.value


class Session(psycopg.AsyncConnection[Any]):
    """One that is kept for as long as it lasts."""

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        try:
            return await super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            let_go(error)
            raise
