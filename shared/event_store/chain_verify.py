"""Compares the log with its chain, block by block in bounded memory, and names the first place that differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from shared.database.protocol import Database, Transaction
from shared.event_store import chain, resealed
from shared.event_store.chain import FIRST, Link, Sealed

EVENTS = 500
"""Compared at once; a link covers no more."""
LINKS = 500
Progress = Callable[[int, int], None]
"""Called with the positions verified and in all."""
What = Literal["changed", "removed", "inserted", "moved", "link", "head"]


@dataclass(frozen=True, slots=True)
class Head:
    """The chain's hash at a position, as somebody noted it."""

    position: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read `POSITION:HASH`. Raises ValueError."""
        position, _, digits = text.strip().partition(":")
        head = cls(int(position), bytes.fromhex(digits))
        if len(head.hash) != len(FIRST.hash):
            raise ValueError("a hash has 64 digits")
        return head

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place that is not as it was: an event's `position`, and the `link` that covers it."""

    what: What
    position: int | None
    link: int
    words: str


@dataclass(frozen=True, slots=True)
class Verified:
    """`head` is how far the chain was compared; `unlinked` events behind it are not covered yet.

    `resealed`: so many events were sealed anew by erasures, as somebody with OKNO_SECRET_KEY vouches.
    """

    links: int
    events: int
    head: Head
    unlinked: int
    difference: Difference | None
    resealed: int = 0


@dataclass(frozen=True, slots=True)
class _Walk:
    """How far the comparison has come."""

    link: Link
    hash: bytes
    events: int = 0
    noted: Head | None = None
    """What is still to be met on the way."""


async def verify(
    database: Database, noted: Head | None = None, progress: Progress = lambda done, total: None
) -> Verified:
    """Compare everything that has a link now. `noted`: a head that must lie on the way."""
    last = await database.read(chain.last_link)
    walk, difference = _Walk(FIRST, FIRST.hash, noted=None if noted == Head(0, FIRST.hash) else noted), None
    while walk.link.number < last.number and difference is None:
        walk, difference = await database.read(partial(_step, walk=walk, until=last.number))
        progress(max(0, min(walk.link.until, last.until)), last.until)
    if difference is None and walk.noted is not None:
        difference = _not_met(walk.noted, walk.link)
    head = Head(walk.link.until if walk.link.number else 0, walk.hash)
    unlinked, anew = await database.read(chain.unlinked), await database.read(resealed.count)
    return Verified(walk.link.number, walk.events, head, unlinked, difference, anew)


def _step(tx: Transaction, walk: _Walk, until: int) -> tuple[_Walk, Difference | None]:
    """Compare the next links, as many as cover about EVENTS events."""
    links = _few(chain.links(tx, walk.link.number, until, LINKS))
    if not links:
        number = walk.link.number + 1
        return walk, Difference("link", None, number, f"the chain's link {number} and those after it are gone")
    expected = sum(link.count for link in links)
    events = chain.sealed(tx, walk.link.until, max(link.until for link in links), expected + 1)
    for link in links:
        own = [event for event in events if event.position <= link.until]
        events = events[len(own) :]
        hash_ = chain.extend(walk.hash, own)
        if difference := _compare(walk, link, own, hash_) or _compare_noted(walk.noted, link):
            return walk, difference
        noted = walk.noted if walk.noted and walk.noted.position > link.until else None
        walk = replace(walk, link=link, hash=hash_, events=walk.events + len(own), noted=noted)
    return walk, None


def _few(links: Sequence[Link]) -> list[Link]:
    taken, count = list[Link](), 0
    for link in links:
        if taken and count + link.count > EVENTS:
            break
        taken.append(link)
        count += link.count
    return taken


def _compare(walk: _Walk, link: Link, own: Sequence[Sealed], hash_: bytes) -> Difference | None:
    """PURE: return where the events a link covers are not what it says; a link that contradicts itself is at fault."""
    covered, number = link.covered(), walk.link.number + 1
    if link.number != number:
        return Difference("link", None, number, f"the chain's link {number} is gone")
    if hash_ == link.hash and chain.marks_of(own) == link.marks:
        return None
    if hash_ == link.hash or not covered or covered[-1][0] != link.until:
        return Difference("link", None, number, f"the chain's link {number} was changed")
    return _first_difference(covered, own, number) or Difference(
        "link", None, number, f"the chain's link {number} was changed: it does not follow from the one before it"
    )


def _first_difference(covered: list[tuple[int, bytes]], own: Sequence[Sealed], number: int) -> Difference | None:
    """PURE: walk along what was sealed and what is there."""
    for (position, mark), event in zip(covered, own, strict=False):
        if event.position > position:
            return Difference("removed", position, number, f"the event at position {position} was removed")
        if event.position < position:
            return _inserted(event.position, number)
        if event.hash[: len(mark)] != mark:
            return _changed(covered, event, number)
    if len(own) > len(covered):
        return _inserted(own[len(covered)].position, number)
    if len(own) < len(covered):
        position = covered[len(own)][0]
        return Difference("removed", position, number, f"the event at position {position} was removed")
    return None


def _inserted(position: int, number: int) -> Difference:
    return Difference("inserted", position, number, f"the event at position {position} was inserted afterwards")


def _changed(covered: list[tuple[int, bytes]], event: Sealed, number: int) -> Difference:
    """What lay elsewhere and is found here was moved."""
    before = next((position for position, mark in covered if event.hash.startswith(mark)), None)
    if before is not None:
        return Difference(
            "moved", event.position, number, f"the event at position {event.position} was at {before} before"
        )
    return Difference("changed", event.position, number, f"the event at position {event.position} was changed")


def _compare_noted(noted: Head | None, link: Link) -> Difference | None:
    """A head is noted of a link's end, and links never change."""
    if noted is None or noted.position > link.until or Head(link.until, link.hash) == noted:
        return None
    words = f"the log and its chain were rewritten: at position {noted.position} the hash is not the one noted"
    return Difference("head", noted.position, link.number, words)


def _not_met(noted: Head, last: Link) -> Difference:
    words = f"the log was cut off: its chain ends before position {noted.position}, of which a hash was noted"
    return Difference("head", noted.position, last.number, words)
