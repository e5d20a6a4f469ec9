"""Conversations merged, split and moved, and all of it undone: what is shown is as if it had never happened.

But for the entries that tell of it, and which conversation was changed last.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event_store import threads
from shared.event_store.moving import move
from shared.read_models import conversations
from tests.event_store.index import derived, standing
from tests.examples import AT, MAILBOX
from tests.read_models.twins import Business, Step, begun, person, shown, tables

CLIENTS = ("mail", "answer", "answer", "form", "vouched", "call")
"""What may come while conversations are merged: what operators do meanwhile is done with what they see."""
BEFORE = (*CLIENTS, "note", "tag", "step", "card", "told")
TIDYING = ("join", "join", "apart")
TELL = ("moved", "closed", "reopened")
"""Kinds of entries that tell of it; nothing else here closes a conversation."""


def steps(*kinds: str) -> st.SearchStrategy[list[Step]]:
    """Of two people, so that their conversations meet."""
    step = st.tuples(st.sampled_from(kinds), st.integers(1, 2), st.integers(0, 30))
    return st.lists(step, min_size=5, max_size=25)


def live(business: Business, life: list[Step], *, tidies: bool = False, begins: int = 100) -> int:
    """Return how many conversations were merged: none but by who tidies. `begins`: the number of the first step."""
    joined = 0
    for number, (kind, who, which) in enumerate(life, begins):
        if kind not in TIDYING:
            business.now = AT + timedelta(minutes=number)
            business.do((kind, who, which), uuid5(MAILBOX, f"step {number}"))
        elif tidies:
            business.show()
            joined += kind == "join" and join(business, who, which)
            if kind == "apart":
                take_apart(business, which)
    business.show()
    return joined


def join(business: Business, who: int, which: int) -> bool:
    """Merge one of somebody's conversations into another one; return whether that was possible."""
    found = [UUID(each["id"]) for each in conversations.page(business.tx, "open", person(who), None, 100)]
    source, into = found[which % len(found)], found[(which + 1) % len(found)]
    return business.record(partial(threads.merge, source=source, into=into, about=business.about())) > 0


def take_apart(business: Business, which: int) -> None:
    if found := merged(business):
        source = found[which % len(found)]
        business.record(partial(threads.unmerge, source=source, about=business.about()))
        business.show()


def merged(business: Business) -> list[UUID]:
    sql = "SELECT id FROM conversations WHERE merged_into IS NOT NULL ORDER BY id"
    return [UUID(id_) for (id_,) in business.tx.rows(sql)]


def seen(business: Business) -> dict[str, Any]:
    found = shown(business)
    for name, value in found.items():
        if name.startswith("conversations "):
            found[name] = sorted(({**each, "changed_at": None} for each in value), key=lambda each: str(each["id"]))
        if name.startswith("timeline "):
            found[name] = [each for each in value if each["kind"] not in TELL]
    return found


def check(tidied: Business, alone: Business) -> None:
    assert seen(tidied) == seen(alone)
    as_it_is, rebuilt = tables(tidied)
    assert as_it_is == rebuilt
    assert standing(tidied.tx) == derived(tidied.tx)


def compare(life: list[Step]) -> int:
    with begun(False) as tidied, begun(False) as alone:
        joined = live(tidied, life, tidies=True)
        live(alone, life)
        while merged(tidied):
            for which in range(len(merged(tidied))):
                take_apart(tidied, which)
        check(tidied, alone)
        return joined


@settings(deadline=None, max_examples=15)
@given(steps(*BEFORE), steps(*CLIENTS, *TIDYING))
def test_a_life_with_conversations_merged_and_taken_apart_is_one_without(before: list[Step], then: list[Step]) -> None:
    compare(before + then)


THREE: list[Step] = [("mail", 1, 0), ("mail", 1, 1), ("mail", 1, 2)]
"""They stand in the list as third, second, first, and then the form."""


def test_conversations_that_were_merged_in_a_chain_are_taken_apart() -> None:
    meanwhile = [("answer", 1, 9), ("answer", 1, 10), ("answer", 1, 11)]
    assert compare([*THREE, ("join", 1, 0), *meanwhile, ("join", 1, 0), *meanwhile]) == 2


def test_conversations_that_were_merged_the_other_way_round_before_are_taken_apart() -> None:
    assert compare([*THREE, ("join", 1, 0), ("apart", 1, 0), ("answer", 1, 8), ("join", 1, 0)]) == 2


def test_messages_that_were_split_off_and_merged_back_are_as_before() -> None:
    with begun(False) as tidied, begun(False) as alone:
        for business in (tidied, alone):
            live(business, [*THREE, ("answer", 1, 7), ("answer", 1, 7)])
        (source, one, _), (_, other, _) = tidied.said[-2:]
        new = moved(tidied, source, [one, other], None)
        for business in (tidied, alone):
            live(business, [("answer", 1, 10), ("mail", 1, 3), ("answer", 1, 7)], begins=200)
        tidied.record(partial(threads.merge, source=new, into=source, about=tidied.about()))
        tidied.show()
        check(tidied, alone)


def test_a_message_that_was_moved_and_moved_back_is_as_before() -> None:
    with begun(False) as tidied, begun(False) as alone:
        for business in (tidied, alone):
            live(business, [*THREE, ("answer", 1, 7)])
        source, message, _ = tidied.said[-1]
        into, *_ = tidied.said[-2]
        moved(tidied, source, [message], into)
        for business in (tidied, alone):
            live(business, [("answer", 1, 7), ("mail", 1, 3), ("answer", 1, 9)], begins=200)
        moved(tidied, into, [message], source)
        check(tidied, alone)


def moved(business: Business, source: UUID, messages: list[UUID], to: UUID | None) -> UUID:
    """Return where they are now."""
    places: list[UUID] = []
    business.record(lambda s, tx: places.append(move(s, tx, source, messages, to, business.about())))
    business.show()
    return places[0]
