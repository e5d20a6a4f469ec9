"""Which conversation does a message belong to? Clues are added up for each conversation that has any.

A reference alone is not enough: everybody who was ever shown a mail can quote its id. It takes a sender who belongs
there, or a proof: an id that only somebody who got our message can know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.values import dataclass

SCORES = {"proof": 200, "thread": 150, "reference": 50, "topic": 30}
BELONGS = 30
JOIN_AT = 60
TOPIC_DAYS = timedelta(days=14)
"""The same sender writing of the same thing within this time goes on with it."""
NEW = "first message of a thread"
STRANGER = "quotes a message of another customer"


@dataclass(frozen=True, slots=True)
class Clue:
    """Something that speaks for a conversation; `said` is what, in words for the log."""

    conversation_id: UUID
    kind: Literal["proof", "thread", "reference", "topic"]
    said: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`conversation_id` None: a new one."""

    conversation_id: UUID | None
    reason: str
    score: int = 0
    by_a_stranger: bool = False


def resolve(clues: Sequence[Clue], belongs: Callable[[UUID], bool]) -> Decision:
    """Return the conversation with the best score, of equal ones the one named first, if it is good enough.

    `clues`: the strongest first, of references the nearest. `belongs`: whether the sender has a part in one.
    """
    best = Decision(None, NEW)
    for conversation_id in dict.fromkeys(clue.conversation_id for clue in clues):
        kinds: dict[str, str] = {}
        for clue in clues:
            if clue.conversation_id == conversation_id:
                kinds.setdefault(clue.kind, clue.said)
        score = sum(SCORES[kind] for kind in kinds) + BELONGS * belongs(conversation_id)
        if score >= JOIN_AT and score > best.score:
            best = Decision(conversation_id, next(iter(kinds.values())), score)
    if best.conversation_id is None and any(clue.kind == "reference" for clue in clues):
        return Decision(None, STRANGER, by_a_stranger=True)
    return best


def is_recent(before: datetime, now: datetime) -> bool:
    """Whether a message on a topic still belongs to what was said of it before; clocks of mails go either way."""
    return abs(now - before) <= TOPIC_DAYS
