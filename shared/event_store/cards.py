"""Cards, own fields and consents in the log: each decision reads the stream it appends to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import card as cards
from shared.domain import events as e
from shared.domain import own_fields
from shared.domain.card import Card, Rules
from shared.event_store.groups import members_of, roots_of
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session


@dataclass(frozen=True, slots=True)
class Versioned:
    """A card as of one version of its customer's stream."""

    version: int
    card: Card


def card_of(session: Session, tx: Transaction, customer_id: UUID) -> Versioned:
    """Return a customer's card with what this session has decided."""
    return cards_of(session, tx, [customer_id])[customer_id]


def cards_of(session: Session, tx: Transaction, customer_ids: Sequence[UUID]) -> dict[UUID, Versioned]:
    """Return the cards of several customers at once; of one who is not there, an empty card of version 0."""
    found: dict[UUID, list[object]] = {id_: [] for id_ in customer_ids}
    for recorded in read_streams(tx, list(found)):
        found[recorded.stream_id].append(recorded.event)
    for stream_id, _, happening in session.appended:
        if stream_id in found:
            found[stream_id].append(happening.event)
    return {id_: Versioned(len(events), cards.fold(events)) for id_, events in found.items()}


def group_cards_of(session: Session, tx: Transaction, root_ids: Sequence[UUID]) -> dict[UUID, Card]:
    """Return the cards on which groups are shown, by who stands for them; nothing for those who stand for nobody."""
    members = members_of(session, tx, root_ids)
    return {root: _together(session, tx, ids) for root, ids in members.items() if len(ids) > 1}


def _together(session: Session, tx: Transaction, ids: Sequence[UUID]) -> Card:
    """Return a group's card: its members in the order of their merges, their consents as they were recorded."""
    past = [(r.stream_id, r.event, r.occurred_at) for r in read_streams(tx, ids)]
    past += [(id_, each.event, each.about.occurred_at) for id_, _, each in session.appended if id_ in ids]
    merged_at = {id_: at for id_, event, at in past if isinstance(event, e.CustomersMerged)}
    own = {id_: cards.fold(event for stream, event, _ in past if stream == id_) for id_ in ids}
    order = sorted(ids[1:], key=lambda id_: (merged_at[id_], str(id_)))
    consents = cards.fold(event for _, event, _ in past).consents
    return cards.together([own[id_] for id_ in (ids[0], *order)], consents)


def change_card(
    session: Session, tx: Transaction, customer_id: UUID, wanted: Sequence[cards.Wanted],
    operators: Mapping[str, str], about: About,
) -> None:  # fmt: skip
    """Decide a change of the card on which a customer is shown: that of who stands for them.

    The members of a group keep what their own cards hold. Raises Refused, WrongValue, Stale.
    """
    root = roots_of(session, tx, [customer_id])[customer_id]
    known, seen = card_of(session, tx, root), group_cards_of(session, tx, [root]).get(root)
    rules = Rules(own_fields_of(tx), operators)
    append(session, root, known.version, cards.change(known.card, wanted, rules, seen), about)


def say_consent(session: Session, tx: Transaction, customer_id: UUID, said: cards.Said, about: About) -> None:
    """Decide what a customer said to being written to or called, by themselves. Raises Refused."""
    known = card_of(session, tx, customer_id)
    append(session, customer_id, known.version, cards.consent(known.card, said), about)


def note_consent(session: Session, tx: Transaction, customer_id: UUID, said: cards.Said, about: About) -> None:
    """Decide what somebody was told by a customer, as whom they are shown. Raises Refused."""
    root = roots_of(session, tx, [customer_id])[customer_id]
    known, seen = card_of(session, tx, root), group_cards_of(session, tx, [root]).get(root)
    append(session, root, known.version, cards.consent(known.card, said, seen), about)


def own_fields_of(tx: Transaction, until: int | None = None) -> dict[str, own_fields.OwnField]:
    """Return every own field that ever was, up to a position of the log, by key."""
    return own_fields.fold(recorded.event for recorded in read_streams(tx, [own_fields.STREAM], until))


def define_field(session: Session, tx: Transaction, wanted: e.OwnFieldDefined, about: About) -> None:
    """Decide the definition of an own field. Raises Refused."""
    version, fields = _definitions(tx)
    append(session, own_fields.STREAM, version, own_fields.define(fields, wanted), about)


def remove_field(session: Session, tx: Transaction, key: str, about: About) -> None:
    """Decide that cards show an own field no more. Raises NoSuchThing."""
    version, fields = _definitions(tx)
    append(session, own_fields.STREAM, version, own_fields.remove(fields, key), about)


def _definitions(tx: Transaction) -> tuple[int, dict[str, own_fields.OwnField]]:
    past = read_stream(tx, own_fields.STREAM)
    return len(past), own_fields.fold(recorded.event for recorded in past)


def append(session: Session, stream_id: UUID, version: int, decided: Sequence[e.Event], about: About) -> None:
    """Keep events for the end of a stream of this version."""
    for number, event in enumerate(decided, version + 1):
        session.append(stream_id, number, Happening(event, about))
