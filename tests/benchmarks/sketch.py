"""The bare limit of embedded mode: the same chain without Okno. A form post becomes a row of a log, an event and a
row of a timeline in one SQLite file, by one writer thread that commits whatever waits (synchronous=FULL).

Run as `python -m tests.benchmarks.sketch FOLDER PORT`.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
import uvicorn

SCHEMA = """
CREATE TABLE log (position INTEGER PRIMARY KEY, value BLOB);
CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT, version INTEGER, state BLOB, UNIQUE (stream, version));
CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE timeline (position INTEGER PRIMARY KEY, id TEXT UNIQUE, customer TEXT, body TEXT);
CREATE INDEX timeline_customer ON timeline (customer, position);
"""
_Job = tuple[bytes, asyncio.Future[None], asyncio.AbstractEventLoop]


class Writer(threading.Thread):
    """Commits what waits: log rows first, then what they lead to, in the next transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._path = path

    def run(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(SCHEMA)
        done = 0
        while True:
            jobs = [self.jobs.get()]
            while not self.jobs.empty():
                jobs.append(self.jobs.get())
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO log (value) VALUES (?)", [(value,) for value, _, _ in jobs])
            db.execute("COMMIT")
            jobs[0][2].call_soon_threadsafe(_confirm, [future for _, future, _ in jobs])
            done = _project(db, done)


def _confirm(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


def _project(db: sqlite3.Connection, done: int) -> int:
    rows = db.execute("SELECT position, value FROM log WHERE position > ? ORDER BY position", (done,)).fetchall()
    items = [(position, value, orjson.loads(value)) for position, value in rows]
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO seen VALUES (?)", [(item["id"],) for _, _, item in items])
    for kind in ("registered", "opened", "received"):
        sql = "INSERT INTO events (stream, version, state) VALUES (?, 1, ?)"
        db.executemany(sql, [(f"{kind}/{item['id']}", value) for _, value, item in items])
    db.executemany(
        "INSERT INTO timeline VALUES (?, ?, ?, ?)",
        [(position, item["id"], item["fields"].get("email"), orjson.dumps(item)) for position, _, item in items],
    )
    db.execute("COMMIT")
    return int(rows[-1][0])


class Sketch:
    """The ASGI application."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        item = {"id": str(uuid4()), "fields": dict(parse_qsl(body.decode()))}
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._writer.jobs.put((orjson.dumps(item), future, loop))
        await future
        answer = orjson.dumps({"ok": True, "id": item["id"]})
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    thread = Writer(Path(sys.argv[1]) / "sketch.db")
    thread.start()
    uvicorn.run(Sketch(thread), port=int(sys.argv[2]), access_log=False, log_config=None, lifespan="off", loop="uvloop")
