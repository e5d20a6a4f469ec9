"""Where the services of this Okno listen, as they said when they started last: links that commands print point there.

The last one of several processes of a service counts; what is noted stays when it ends, as it mostly comes back there.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from shared.clock import now, to_text
from shared.database.protocol import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS listening (
    service TEXT PRIMARY KEY, machine TEXT NOT NULL, url TEXT NOT NULL, at TEXT NOT NULL
)
"""
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (compared with, never listened on)


class Listening:
    """The addresses of all services; `machine` is the one that asks or notes."""

    def __init__(self, database: Database, machine: str = "") -> None:
        self._database, self._machine = database, machine or socket.gethostname()

    async def note(self, services: Sequence[str], url: str) -> None:
        """Keep where these services are reached from now on."""
        at = to_text(now())
        rows = [(service, self._machine, url, at) for service in services]
        sql = (
            "INSERT INTO listening VALUES (?, ?, ?, ?) ON CONFLICT (service)"
            " DO UPDATE SET machine = excluded.machine, url = excluded.url, at = excluded.at"
        )
        await self._database.write(lambda tx: tx.run_many(sql, rows))

    async def of(self, service: str) -> str:
        """Return where a service is reached from this machine, empty when it has never run.

        Who listens everywhere is reached here by loopback, elsewhere by the name of its machine.
        """
        sql = "SELECT machine, url FROM listening WHERE service = ?"
        row = await self._database.read(lambda tx: tx.row(sql, (service,)))
        if row is None:
            return ""
        machine, url = str(row[0]), str(row[1])
        return reached_at(url, "127.0.0.1" if machine == self._machine else machine)


def reached_at(url: str, host: str = "127.0.0.1") -> str:
    """Return where a server is reached: who listens everywhere (0.0.0.0, ::) has no address, but a host's."""
    given = urlsplit(url)
    return url_of(host, given.port or 80) if given.hostname in _EVERYWHERE else url


def url_of(host: str, port: int) -> str:
    """Return the address of a server on this host, which may be one of IPv6 (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
