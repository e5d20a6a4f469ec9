"""PostgreSQL 15 or newer, and a fresh database for every test that asks.

Without fsync a killed server loses nothing either, only a machine without power does: such a one may be in memory.
A killed one's shared memory stays behind in /dev/shm unless it is in its folder. Every test connects a few times, and
scram-sha-256 would take 3 ms of processor for each.
"""

import signal
import subprocess
import uuid
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.peers.account import server_account
from tests.peers.process import DISK, PeerError, Process, fastest, free_port, make_folder, remove_folder
from tests.peers.programs import POSTGRES

USER = PASSWORD = "okno"
EMPTY = "/template0"
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 64MB
fsync = {fsync}
synchronous_commit = on
dynamic_shared_memory_type = mmap
"""


class ExternalPostgres:
    """A server that already runs (OKNO_TEST_DATABASE_URL); its user must be allowed to create databases."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self, template: str = EMPTY) -> str:
        return create_database(self.url, template)

    def drop_database(self, url: str) -> None:
        drop_database(self.url, url)


class PostgresServer:
    """A server of our own. `stop`, `kill` and `restart` keep port and data; `close` removes the data."""

    def __init__(self, *, fsync: bool = True) -> None:
        POSTGRES.version()
        self._fsync = "on" if fsync else "off"
        self._binaries = POSTGRES.path().parent
        self._account = server_account("postgres")
        self._folder = make_folder("postgres", self._account, DISK if fsync else fastest())
        self._data = self._folder / "data"
        self._port = free_port()
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self._port}/postgres"
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
        self.process = Process(
            "postgres",
            [str(self._binaries / "postgres"), "-D", str(self._data)],
            account=self._account,
            folder=self._folder,
            stop_signal=signal.SIGINT,
        )

    def start(self) -> None:
        if not self._data.exists():
            self._initialise()
        self.process.start()
        self.process.wait_until(lambda: answers(self.url))

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        remove_folder(self._folder)

    def create_database(self, template: str = EMPTY) -> str:
        """The URL of a new database, empty or a copy of the one at this URL, with which nobody is connected."""
        return create_database(self.url, template, by_file=self._fsync == "off")

    def drop_database(self, url: str) -> None:
        """Remove the database, whoever is still connected to it."""
        drop_database(self.url, url)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(PASSWORD)
        self._account.own(password_file)
        options = ["-U", USER, "--auth=md5", f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [str(self._binaries / "initdb"), "-D", str(self._data), "--no-sync", *options],
            cwd=self._folder,
            capture_output=True,
            text=True,
            **self._account.popen_options(),
        )
        if done.returncode != 0:
            raise PeerError(f"initdb failed:\n{done.stdout}{done.stderr}")
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION.format(port=self._port, folder=self._folder, fsync=self._fsync))


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(server_url: str, template: str = EMPTY, *, by_file: bool = False) -> str:
    """`by_file`: copy the template's files, which without fsync takes half the time of writing it through the log."""
    name = f"okno_test_{uuid.uuid4().hex[:12]}"
    names = (sql.Identifier(name), sql.Identifier(urlsplit(template).path.lstrip("/")))
    how = "FILE_COPY" if by_file else "WAL_LOG"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY " + how).format(*names))
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(server_url: str, url: str) -> None:
    name = sql.Identifier(urlsplit(url).path.lstrip("/"))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
