"""GET /api/v1/events/{position}/why: where an entry came from, who or which rule did it, and what it led to.

An inbound item's id and a reply's id are the causes of what follows from them: both are looked up by an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, is_position
from services.inbox_api.events import may_see
from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain.events import Actor, Recorded
from shared.event_store.log import read_positions
from shared.event_store.log_streams import read_streams
from shared.read_models import causes, changes, timeline
from shared.registry.operators import Operator

MOST = 200
"""Events of one kind of relation: a conversation of bots may lead to any number."""
NEARBY = 20
Relation = Literal["this", "item", "together", "about", "answers"]
_FACTS = (
    "reason", "joined_because", "joined_score", "external_id", "attempt", "tries", "error", "code", "recipient", "hard",
    "action", "what", "note", "due_at", "until", "operator_name", "added", "removed", "nature", "warnings", "refers_to",
    "in_reply_to", "from_conversation_id", "to_conversation_id", "address", "known", "reactions", "ref", "channel_kind",
)  # fmt: skip
_SUBJECTS = ("reply_id", "message_id", "note_id", "step_id", "item_id")


class RawItem(msgspec.Struct):
    """The item as the channel gave it; its bytes are at `url`."""

    sha256: str
    size: int
    media_type: str
    url: str


class Link(msgspec.Struct):
    """One event of the chain.

    `relation` to the one asked about: item (from the same inbound item, or told of the same reply), together (recorded
    in the same stroke), about (became of the same message, reply or step), answers (the message a reply answers).
    """

    position: int
    type: str
    relation: Relation
    occurred_at: str
    recorded_at: str
    actor: Actor
    conversation_id: UUID | None
    facts: dict[str, Any]
    raw: RawItem | None = None


class Because(msgspec.Struct):
    """Why it happened: an item that came in, an operator, a reply of ours, or a rule of Okno itself."""

    kind: Literal["item", "operator", "reply", "rule"]
    id: UUID | None
    name: str | None
    reason: str | None
    raw: RawItem | None


class Joined(msgspec.Struct):
    """Which conversation it stands in, and by which reason and score."""

    id: UUID
    reason: str
    score: int


class Attempt(msgspec.Struct):
    """One way of a reply to the provider: when outbound took it, how often it tried, what the provider answered."""

    attempt: int
    state: str
    tries: int
    relayed_at: str
    first_try_at: str | None
    changed_at: str
    external_id: str | None
    code: str | None
    error: str | None


class Why(msgspec.Struct):
    position: int
    type: str
    occurred_at: str
    recorded_at: str
    actor: Actor
    because: Because
    conversation: Joined | None
    chain: list[Link]
    attempts: list[Attempt]


async def why(call: Call) -> Response:
    text = call.request.path_params["position"]
    if not is_position(text):
        raise HTTPException(404)
    found = await call.context.database.read(partial(explained, position=int(text), operator=call.operator))
    if found is None:
        raise HTTPException(404)
    return Response(msgspec.json.encode(found), media_type="application/json")


def explained(tx: Transaction, position: int, operator: Operator) -> Why | None:
    """Return the chain of an event as far as an operator may see it, None when there is none at this position."""
    around = read_positions(tx, range(max(1, position - NEARBY), position + NEARBY + 1))
    nearby = [recorded for recorded in around if may_see(operator, recorded)]
    this = next((recorded for recorded in nearby if recorded.position == position), None)
    if this is None:
        return None
    found: dict[int, tuple[Relation, Recorded]] = {position: ("this", this)}
    for relation, events in _related(tx, this, nearby):
        for recorded in filter(partial(may_see, operator), events):
            found.setdefault(recorded.position, (relation, recorded))
    chain = [found[each] for each in sorted(found)]
    return Why(
        position,
        type(this.event).__name__,
        to_text(this.occurred_at),
        to_text(this.recorded_at),
        this.actor,
        _because(this, [recorded for _, recorded in chain]),
        _joined(this, [recorded for relation, recorded in chain if relation in ("this", "item", "together")]),
        [_link(relation, recorded) for relation, recorded in chain],
        _attempts(tx, this),
    )


def _related(
    tx: Transaction, this: Recorded, nearby: Sequence[Recorded]
) -> Iterator[tuple[Relation, Sequence[Recorded]]]:
    if this.cause is not None:
        yield "item", _of(tx, this.cause)
        yield "item", read_streams(tx, [this.cause])[:MOST]  # it stood in the quarantine first
    else:
        yield "together", [each for each in nearby if _is_together(each, this)]
    for subject in _subjects(this):
        yield "about", [*_of(tx, subject), *read_positions(tx, changes.positions_of(tx, subject, MOST))]
        made = timeline.message(tx, subject)
        if made is not None:
            yield "about", read_positions(tx, [made["position"]])
        if hasattr(this.event, "step_id"):
            yield "about", read_streams(tx, [subject])[:MOST]
    if answers := getattr(this.event, "answers", None):
        yield "answers", [each for each in _of(tx, answers) if getattr(each.event, "message_id", None) == answers]


def _of(tx: Transaction, cause: UUID) -> list[Recorded]:
    found = read_positions(tx, causes.caused_by(tx, cause, MOST))
    return [recorded for recorded in found if recorded.cause == cause]


def _is_together(other: Recorded, this: Recorded) -> bool:
    """One command's events are recorded at one moment."""
    return (other.recorded_at, other.actor, other.cause) == (this.recorded_at, this.actor, None)


def _subjects(this: Recorded) -> list[UUID]:
    found = [getattr(this.event, name, None) for name in _SUBJECTS]
    return list({id_: None for id_ in found if id_ is not None})


def _because(this: Recorded, chain: Sequence[Recorded]) -> Because:
    reason = getattr(this.event, "reason", "") or getattr(this.event, "joined_because", "") or None
    raws = [recorded for recorded in chain if recorded.cause == this.cause and _raw(recorded) is not None]
    if this.cause is None and this.actor.kind == "operator":
        return Because("operator", _uuid(this.actor.id), this.actor.name or None, reason, None)
    if this.cause is None:
        return Because("rule", None, None, reason, None)
    own = _raw(this)
    raw = own or (_raw(raws[0]) if raws else None)
    if raw is None:
        requests = (each for each in chain if getattr(each.event, "reply_id", None) == this.cause)
        asked = next((each for each in requests if each.actor.kind == "operator"), None)
        name = asked.actor.name if asked else None
        return Because("reply" if asked else "item", this.cause, name, reason, None)
    return Because("item", this.cause, None, reason, raw)


def _joined(this: Recorded, together: Sequence[Recorded]) -> Joined | None:
    """The reason stands with the message; for one that opened a conversation with that."""
    conversation_id = getattr(this.event, "conversation_id", None)
    if conversation_id is None:
        return None
    for recorded in sorted(together, key=lambda each: (each is not this, each.position)):
        event: Any = recorded.event
        reason = getattr(event, "joined_because", "")
        if reason and event.conversation_id == conversation_id:
            return Joined(conversation_id, reason, event.joined_score)
    for recorded in together:
        event = recorded.event
        if type(event).__name__ == "ConversationOpened" and event.conversation_id == conversation_id:
            return Joined(conversation_id, event.reason, 0)
    return None


def _link(relation: Relation, recorded: Recorded) -> Link:
    event: Any = recorded.event
    return Link(
        recorded.position,
        type(event).__name__,
        relation,
        to_text(recorded.occurred_at),
        to_text(recorded.recorded_at),
        recorded.actor,
        getattr(event, "conversation_id", None),
        {name: value for name in _FACTS if (value := getattr(event, name, None)) not in (None, "", (), 0)},
        _raw(recorded),
    )


def _raw(recorded: Recorded) -> RawItem | None:
    raw = getattr(recorded.event, "raw", None)
    if raw is None:
        return None
    return RawItem(raw.sha256, raw.size, raw.media_type, f"/api/v1/raw/{recorded.position}")


def _attempts(tx: Transaction, this: Recorded) -> list[Attempt]:
    """Outbound's ledger of the reply: it knows tries that nobody has told of yet."""
    reply_id = getattr(this.event, "reply_id", None)
    if reply_id is None:
        return []
    sql = (
        "SELECT attempt, state, tries, created_at, first_try_at, changed_at, external_id, code, error FROM deliveries"
        " WHERE reply_id = ? ORDER BY attempt"
    )
    return [
        Attempt(*known, *(said or None for said in answer))
        for *known, answer in ([*row[:6], row[6:]] for row in tx.rows(sql, (str(reply_id),)))
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
