"""How a connection learns that PostgreSQL's machine is gone without a word: of itself TCP takes 15 minutes to 2 hours."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict, make_conninfo

ALIVE: dict[str, str | int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's names. Whoever waits for an answer learns it after 25 s (the machine's default: 2 h), whoever asks too (15 min).

A server that only thinks for long, or whose process is stopped, confirms every packet and is waited for.
"""


def with_alive(url: str) -> str:
    """Return libpq's settings of a URL and those above; what the URL says itself stands."""
    return make_conninfo("", **{**ALIVE, **conninfo_to_dict(url)})
