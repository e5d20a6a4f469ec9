"""Compares the log with its chain, and the chain with what the comparison before has left: links never change.

What was cut off or rewritten together with the chain is found so, by all but who rewrites this memory too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from shared.clock import now, to_text
from shared.database.protocol import Database
from shared.event_store import chain
from shared.event_store.chain_verify import Difference, Head, Progress, Verified, verify
from shared.registry.verifications import Verification, Verifications


async def verify_and_remember(
    database: Database, by: str, noted: Head | None = None, progress: Progress = lambda done, total: None
) -> Verified:
    """Return as `verify`. A head that is not met any more is remembered on: it will not be met tomorrow either."""
    memory = Verifications(database)
    at, last = to_text(now()), await memory.last()
    verified = await verify(database, noted, progress)
    remembered = verified.head
    if last is not None:
        before = Head.parse(last.head)
        if before.position and not await database.read(
            partial(chain.has_link, until=before.position, hash_=before.hash)
        ):
            remembered, words = before, _WORDS.format(before.position, last.at)
            head = Difference("head", before.position, verified.links, words)
            verified = replace(verified, difference=verified.difference or head)
        elif verified.difference is not None:
            remembered = max(verified.head, before, key=lambda head: head.position)
    words = verified.difference.words if verified.difference else ""
    await memory.keep(Verification(at, by, verified.events, str(remembered), words))
    return verified


_WORDS = "the log and its chain were cut off or rewritten: up to position {} they are not as they were compared on {}"
