"""What a timeline is filtered by: kind, channel and author of an entry, in one number that an index can hold.

Each different combination is a row of a small table; a filter is turned into the numbers that fit it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from shared.database.protocol import Row, Transaction
from shared.domain.events import Actor
from shared.read_models.entries import Body

TABLE = "timeline_facets"
COLUMNS = ("facet", "kind", "channel_id", "author_kind", "author_id")
AUTHORS = ("customer", "operator", "system")


class Facet(NamedTuple):
    """`author_id`: the operator's, empty for everybody else."""

    kind: str
    channel_id: str
    author_kind: str
    author_id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; empty: all. A kind stands also for those it is the beginning of: step for step_done."""

    kinds: Sequence[str] = ()
    channel_ids: Sequence[str] | None = None
    authors: Sequence[str] = ()
    """Kinds of authors, and ids of operators."""

    @property
    def is_empty(self) -> bool:
        return not self.kinds and self.channel_ids is None and not self.authors

    def fits(self, facet: Facet) -> bool:
        """Return whether entries of this combination are wanted."""
        return (
            (not self.kinds or any(facet.kind == kind or facet.kind.startswith(f"{kind}_") for kind in self.kinds))
            and (self.channel_ids is None or facet.channel_id in self.channel_ids)
            and (not self.authors or facet.author_kind in self.authors or facet.author_id in self.authors)
        )


def schema(prefix: str) -> str:
    return f"""
    CREATE TABLE IF NOT EXISTS {prefix}{TABLE} (
        facet BIGINT PRIMARY KEY, kind TEXT NOT NULL, channel_id TEXT NOT NULL, author_kind TEXT NOT NULL,
        author_id TEXT NOT NULL
    )
    """


def facet_of(body: Body, actor: Actor) -> Facet:
    """Return the combination an entry has."""
    author: Literal["customer", "operator", "system"] = body["author"]["kind"]
    channel = body.get("channel_id")
    return Facet(body["kind"], _text(channel) if channel else "", author, actor.id if author == "operator" else "")


@lru_cache(maxsize=10_000)
def _text(id_: UUID | str) -> str:
    return str(id_)


@lru_cache(maxsize=10_000)
def number(facet: Facet) -> int:
    """Return 64 bits that stand for a combination."""
    return int.from_bytes(hashlib.blake2b("\n".join(facet).encode(), digest_size=8).digest(), "big", signed=True)


def rows(facets: Iterable[Facet]) -> list[Row]:
    """Return the rows of some combinations, always in the same order."""
    return [(number(facet), *facet) for facet in sorted(facets)]


def keep(tx: Transaction, prefix: str, rows: Sequence[Row]) -> None:
    """Add those combinations that are new."""
    tx.insert_many(f"{prefix}{TABLE}", COLUMNS, rows, "ON CONFLICT (facet) DO NOTHING")


def numbers_that_fit(tx: Transaction, wanted: Filter) -> set[int]:
    """Return the numbers of all known combinations that a filter lets through."""
    known = tx.rows(f"SELECT {','.join(COLUMNS)} FROM {TABLE}")
    return {facet for facet, *rest in known if wanted.fits(Facet(*rest))}
