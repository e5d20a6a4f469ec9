"""The card of a customer: what is known of them besides their addresses, who agreed to what, and who wrote it.

A change says what it expects to find; one that was overtaken is refused, never written over what it has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.domain import events as e
from shared.domain.card_values import TEXT_LIMIT, Rule, read
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.own_fields import OWN, OwnField

FIELDS: Mapping[str, str] = {
    "name": "text",
    "organisation": "text",
    "language": "language",
    "time_zone": "time_zone",
    "addresses": "lines",
    "requisites": "long_text",
    "tags": "tags",
    "segment": "text",
    "operator": "operator",
    "birthday": "birthday",
    "notes": "long_text",
}
"""Every card's own fields with their types; addresses are postal ones."""
ANYTHING = object()
CONSENT_LIMIT = 2000
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Held:
    """What a field holds; `was`: what it held before an import wrote it, so that several can be undone in turn.

    A field that somebody emptied is held without values; one that nobody ever wrote is not held, and has no `was`.
    """

    values: e.Values = ()
    import_id: UUID | None = None
    was: Held | None = None


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Card:
    """A customer's card; `addresses` are the identities that were registered and linked."""

    customer_id: UUID | None = None
    fields: Mapping[str, Held] = field(default_factory=dict)
    consents: Mapping[str, e.Consent] = field(default_factory=dict)
    addresses: tuple[e.Address, ...] = ()
    retired: bool = False
    undone: frozenset[UUID] = frozenset()
    """Imports that were taken back here."""
    erased: bool = False

    def values(self, name: str) -> e.Values:
        return self.fields.get(name, NOTHING).values


EMPTY = Card()


@dataclass(frozen=True, slots=True)
class Rules:
    """What fields there are: own ones by key, and operators by id and by e-mail address."""

    own: Mapping[str, OwnField] = field(default_factory=dict)
    operators: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> Rule:
        """Return what a field may hold. Raises Refused when there is no such field."""
        if name in FIELDS:
            return Rule(FIELDS[name], operators=self.operators)
        own = self.own.get(name.removeprefix(OWN)) if name.startswith(OWN) else None
        if own is None or own.removed:
            raise Refused("no_such_field", f"There is no field {name!r}")
        return Rule(own.type, own.choices)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a field shall hold, and what whoever wants it has seen there (ANYTHING: whatever it is)."""

    field: str
    after: object
    before: object = ANYTHING


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A field that somebody else has changed: what was expected, what it holds, what was wanted."""

    field: str
    type: str
    expected: e.Values
    holds: e.Values
    wanted: e.Values


class Stale(Refused):
    """Somebody else was first; `fields` says where and with what."""

    def __init__(self, fields: Sequence[Overtaken]) -> None:
        names = ", ".join(each.field for each in fields)
        super().__init__("changed_meanwhile", f"Somebody else has changed this in the meantime: {names}")
        self.fields = tuple(fields)


# --- deciding ---------------------------------------------------------------------------------------------


def change(card: Card, wanted: Sequence[Wanted], rules: Rules, seen: Card | None = None) -> list[e.CardChanged]:
    """Return what happens: one event for all fields that change. Raises Refused, WrongValue, Stale.

    `seen`: the card that was shown, where that is not the one which is changed but a whole group's.
    """
    customer_id, seen = existing(card), seen or card
    if len({each.field for each in wanted}) < len(wanted):
        raise Refused("twice", "A field is named twice")
    changes: list[e.FieldChange] = []
    overtaken: list[Overtaken] = []
    for each in wanted:
        rule, holds = rules.of(each.field), seen.values(each.field)
        after = read(each.field, rule, each.after)
        if after == holds:
            continue
        expected = holds if each.before is ANYTHING else _seen(each, rule)
        if expected != holds:
            overtaken.append(Overtaken(each.field, rule.type, expected, holds, after))
        changes.append(e.FieldChange(each.field, card.values(each.field) or (() if after else holds), after))
    if overtaken:
        raise Stale(overtaken)
    return [e.CardChanged(customer_id, tuple(changes))] if changes else []


def _seen(wanted: Wanted, rule: Rule) -> e.Values:
    """What was seen may be what could not be written today: a choice that is gone, an operator who left."""
    if rule.type in ("choice", "operator"):
        return (str(wanted.before),) if wanted.before else ()
    return read(wanted.field, rule, wanted.before)


@dataclass(frozen=True, slots=True)
class Said:
    """What a customer said to a channel."""

    channel: str
    state: Literal["given", "withdrawn"]
    text: str
    at: datetime
    how: str
    conversation_id: UUID | None = None


def consent(card: Card, said: Said, seen: Card | None = None) -> list[e.ConsentGiven | e.ConsentWithdrawn]:
    """Return what happens; none when it is known already, or the client was erased.

    `seen`: as for `change`. Raises Refused.
    """
    if card.erased:
        return []
    customer_id, before = existing(card), card.consents.get(said.channel)
    if not _CHANNEL.fullmatch(said.channel):
        raise Refused("wrong_channel", "A channel is one word of a to z, such as email")
    if not said.how.strip() or len(said.how) > TEXT_LIMIT:
        raise Refused("wrong_how", f"How it was said has 1 to {TEXT_LIMIT} characters")
    if len(said.text) > CONSENT_LIMIT:
        raise Refused("text_too_long", f"The text shown has up to {CONSENT_LIMIT} characters")
    if (seen or card).consents.get(said.channel) == e.Consent(said.state, said.text, said.at, said.how):
        return []
    make = e.ConsentGiven if said.state == "given" else e.ConsentWithdrawn
    return [make(customer_id, said.channel, said.text, said.at, said.how, before, said.conversation_id)]


def existing(card: Card) -> UUID:
    """Return whose card it is. Raises NoSuchThing, and Refused when they were erased."""
    if card.customer_id is None:
        raise NoSuchThing("no_such_customer", "There is no such customer")
    if card.erased:
        raise Refused("erased", "The client was erased: nothing more can be written about them")
    return card.customer_id


# --- what it holds ----------------------------------------------------------------------------------------


def fold(events: Iterable[object], card: Card = EMPTY) -> Card:
    """Return the card after some events of a customer's stream; what is not about the card changes nothing."""
    for event in events:
        card = evolve(card, event)
    return card


def evolve(card: Card, event: object) -> Card:
    """Return the card after one event."""
    match event:
        case e.CustomerRegistered():
            name = {"name": Held((event.name,))} if event.name else {}
            return replace(card, customer_id=event.customer_id, fields=name, addresses=(event.address,))
        case e.IdentityLinked():
            return replace(card, addresses=(*card.addresses, event.address))
        case e.CardChanged():
            fields = {**card.fields, **{each.field: _held(card, event, each) for each in event.changes}}
            if event.undone:
                unwritten = _names(event) - set(event.emptied)
                fields = {name: held for name, held in fields.items() if held.values or name not in unwritten}
            undone = card.undone | {event.import_id} if event.undone and event.import_id else card.undone
            return replace(card, fields=fields, undone=undone)
        case e.ConsentGiven() | e.ConsentWithdrawn():
            state: Literal["given", "withdrawn"] = "given" if isinstance(event, e.ConsentGiven) else "withdrawn"
            said = e.Consent(state, event.text, event.at, event.how)
            return replace(card, consents={**card.consents, event.channel: said})
        case e.CustomerErased():
            return replace(card, erased=True)
        case e.CustomerRetired():
            return replace(card, retired=True)
        case e.CustomerRestored():
            return replace(card, retired=False)
    return card


def together(cards: Sequence[Card], consents: Mapping[str, e.Consent]) -> Card:
    """Return the card of a group from the cards of its members, who stands for all first. `consents`: the last said.

    A field is that of the first one on whose card it was ever written, be it to empty it; those after them count
    where they hold something. The name is that of who stands for all, as in every list.
    """
    first, *others = cards
    fields = dict(first.fields)
    for card in others:
        fields |= {k: held for k, held in card.fields.items() if held.values and k != "name" and k not in fields}
    return replace(first, fields=fields, consents=consents)


def _names(event: e.CardChanged) -> set[str]:
    return {each.field for each in event.changes}


def _held(card: Card, event: e.CardChanged, made: e.FieldChange) -> Held:
    known = card.fields.get(made.field)
    if event.import_id is None:
        return Held(made.after)
    if event.undone:
        return (before_import(known, event.without) if known else None) or NOTHING
    return Held(made.after, event.import_id, known)


def before_import(held: Held, undone: Collection[UUID]) -> Held | None:
    """Return what was there before an import, and before those undone earlier whose values it had replaced."""
    was = held.was
    while was is not None and was.import_id in undone:
        was = was.was
    return was
