"""What is left of a connection to PostgreSQL that was not made: nothing, and at once."""

from __future__ import annotations

import asyncio
import gc
import socket

import psycopg
import pytest

from shared.database.postgres_connect import Pooled, Session


async def test_a_connection_that_was_not_made_in_time_is_closed_without_the_collector() -> None:
    """A server that hangs takes connections and says nothing; the projector alone tries every two seconds."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"postgresql://okno@127.0.0.1:{deaf.getsockname()[1]}/okno"
        gc.disable()  # as good as: a service lets it look seldom
        try:
            for connecting in (asyncio.to_thread(Pooled.connect, url, connect_timeout=2), _session(url)):
                with pytest.raises(psycopg.errors.ConnectionTimeout):
                    await connecting
                assert await asyncio.to_thread(_hears_the_end, deaf)
        finally:
            gc.enable()


async def _session(url: str) -> None:
    await Session.connect(url, connect_timeout=2)


def _hears_the_end(deaf: socket.socket) -> bool:
    """Whether the other side has closed what it opened; it may have asked for something before."""
    connected, _ = deaf.accept()
    with connected:
        connected.settimeout(1)
        try:
            while connected.recv(1000):
                """Its greeting."""
        except TimeoutError:
            return False
    return True
