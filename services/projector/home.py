"""Gathers what speaks for a conversation (`domain.resolve` decides): proofs, the thread, references, the topic."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from services.projector.targets import is_global
from shared.clock import from_text
from shared.contracts.inbound import InboundMessage
from shared.domain.resolve import Clue, Decision, is_recent, resolve
from shared.event_store.routing_entries import Entries, Place
from shared.event_store.session import Session
from shared.event_store.topics import topic_of

CONVERSATION = "conversation:"
"""Begins a proof that names the conversation itself: a signed address to reply to."""


NOTHING_KNOWN = resolve((), lambda _: False)


def home_of(
    session: Session, known: Entries, item: InboundMessage, customer_id: UUID | None
) -> tuple[Decision, Place | None]:
    """Return the decision and the place it names; `customer_id`: whose the sender's address is, if anybody's."""
    if not (item.refers_to or item.proves or item.thread_key or item.topic):
        return NOTHING_KNOWN, None
    places: dict[UUID, Place] = {}
    clues: list[Clue] = []
    for place, kind, said in _found(session, known, item):
        places.setdefault(place.conversation_id, place)
        clues.append(Clue(place.conversation_id, kind, said))  # type: ignore[arg-type]

    def belongs(conversation_id: UUID) -> bool:
        if places[conversation_id].customer_id == customer_id:
            return True
        state = session.conversation(conversation_id).state
        return (item.sender.kind, item.sender.address) in state.participants

    decision = resolve(clues, belongs)
    return decision, _going_on(session, places[decision.conversation_id]) if decision.conversation_id else None


def _going_on(session: Session, place: Place) -> Place:
    """A conversation that was merged goes on in the other one."""
    while (merged := session.conversation(place.conversation_id).state.merged) is not None:
        place = Place(merged.into_id, merged.into_customer_id)
    return place


def _found(session: Session, known: Entries, item: InboundMessage) -> Iterator[tuple[Place, str, str]]:
    for proof in item.proves:
        if proof.startswith(CONVERSATION):
            yield from ((place, "proof", "sent to an address that only this conversation has")
                        for place in _named(session, proof))  # fmt: skip
        else:
            yield from ((place, "proof", f"proves to have {proof}") for place in _places(session, known, item, proof))
    key = (item.channel_id, item.thread_key)
    if item.thread_key and (thread := session.entries.threads.get(key) or known.threads.get(key)):
        yield thread, "thread", "same thread"
    for reference in item.refers_to:
        for place in _places(session, known, item, reference):
            yield place, "reference", f"answers {reference}"
    if item.topic:
        id_ = topic_of(item)
        for place, at in filter(None, (session.entries.topics.get(id_), known.topics.get(id_))):
            if is_recent(from_text(at), item.occurred_at):
                yield place, "topic", "same sender and subject"


def _places(session: Session, known: Entries, item: InboundMessage, external_id: str) -> Iterator[Place]:
    left = {conversation for id_, conversation in session.entries.left if id_ == external_id}
    for entries in (session.entries, known):
        for channel_id, place in entries.external.get(external_id, ()):
            if (channel_id == item.channel_id or is_global(external_id)) and place.conversation_id not in left:
                yield place


def _named(session: Session, proof: str) -> Iterator[Place]:
    try:
        conversation_id = UUID(proof.removeprefix(CONVERSATION))
    except ValueError:
        return
    customer_id = session.conversation(conversation_id).state.customer_id
    if customer_id is not None:
        yield Place(conversation_id, customer_id)
