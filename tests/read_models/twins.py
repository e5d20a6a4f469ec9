"""Two businesses that live through the same, but for merges: once nobody is merged any more, they show the same.

But for call-backs of those who were ever merged: whoever is merged with a caller ends theirs, and being reached is not
undone by un-merging. Everything is decided by the real rules and stored in real tables, in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from services.house import SCHEMAS
from services.projector import inbound as intake
from shared.contracts.inbound import Address
from shared.database.protocol import Row, Transaction
from shared.database.sqlite_transaction import SqliteTransaction
from shared.domain import card as card_rules
from shared.domain import commands as c
from shared.domain.customer import customer_id_at
from shared.domain.errors import Refused
from shared.domain.events import Address as Stored
from shared.domain.events import CustomersMerged, CustomerUnmerged, MergeEvent, Recorded
from shared.domain.merge import suggestion_id
from shared.domain.next_step import CALL_BACK
from shared.event_store import erasures, merging, raw_items, routing
from shared.event_store.cache import StateCache
from shared.event_store.cards import change_card, note_consent
from shared.event_store.log import read_log
from shared.event_store.mapper import About
from shared.event_store.moving import move
from shared.event_store.recorders import schema_statements
from shared.event_store.session import Session
from shared.read_models import cards, conversations, customers, groups, live, suggestions, timeline
from shared.read_models import steps as due
from shared.read_models.entries import Body
from shared.read_models.past import tables_of
from shared.read_models.search import READ_MODEL as SEARCH
from shared.read_models.search_results import Filters, search
from shared.read_models.search_words import parse
from tests.event_store.index import TABLES as ROUTING
from tests.examples import AT, FORM, MAILBOX, OLGA, call_report, inbound
from tests.read_models.contents import contents

Step = tuple[str, int, int]
"""What happens, to whom of a few, and a number that makes it vary."""
Said = tuple[UUID, UUID, str]
"""Conversation, message and external id of what a client has said."""
PEOPLE = 5
PHONES = 2
LIVED = ("mail", "answer", "form", "call", "vouched", "note", "tag", "close", "step", "move", "refuse", "card", "told")
lives = st.lists(
    st.tuples(
        st.sampled_from((*LIVED, *("merge",) * 5, *("unmerge",) * 3, "mail", "form", "card")),
        st.integers(0, PEOPLE + PHONES - 1),
        st.integers(0, PEOPLE + PHONES - 1),
    ),
    min_size=15,
    max_size=50,
)
BEGINNING: list[Step] = [("form", n, n) for n in range(PEOPLE)] + [("call", n, n) for n in range(PHONES)]
"""Everybody is there from the start, and much is suggested."""
WRITTEN = ("card", "consent")
"""Kinds of entries whose ids are made of their place in their stream, which merges stand in too."""
EVERYTHING = timeline.Page(10_000)
WORDS = ("mail", "form", "note", "p1", "example.com", "write")


@dataclass
class Business:
    """`merges`: whether merges and un-merges happen here, or are let be."""

    merges: bool
    tx: Transaction
    cache: StateCache = field(default_factory=StateCache)
    said: list[Said] = field(default_factory=list)
    now: datetime = AT
    merged: int = 0
    stood: dict[UUID, UUID] = field(default_factory=dict)
    """By step: who stood for the customer whose card was written on. Without merges it is their card too."""

    def live(self, life: list[Step]) -> None:
        for number, step in enumerate(life, len(self.said)):
            self.now = AT + timedelta(minutes=number)
            self.do(step, uuid5(MAILBOX, f"step {number}"))
        self.show()

    def part(self) -> None:
        """Un-merge everybody who is merged."""
        for member, into in self.merged_pairs():
            self.record(partial(merging.unmerge, group_of=into, customer_id=member, about=self.about()))
        self.show()

    def ever_merged(self) -> set[str]:
        """Return the ids of those who were ever merged with anybody."""
        return {str(r.stream_id) for r in self.events() if isinstance(r.event, MergeEvent)}

    def farthest(self) -> int:
        """Return how many events lie between a merge and the end of it, at most."""
        begun, found = dict[UUID, int](), [0]
        for recorded in self.events():
            match recorded.event:
                case CustomersMerged():
                    begun[recorded.stream_id] = recorded.position
                case CustomerUnmerged():
                    found.append(recorded.position - begun[recorded.stream_id] - 1)
        return max(found)

    def events(self) -> list[Recorded]:
        return read_log(self.tx, 0, 1_000_000)

    def merged_pairs(self) -> list[tuple[UUID, UUID]]:
        rows = self.tx.rows("SELECT customer_id, into_id FROM routing_merges ORDER BY customer_id")
        return [(UUID(member), UUID(into)) for member, into in rows]

    def do(self, step: Step, fresh: UUID) -> None:
        kind, who, number = step
        one, other = person(who), person(number)
        match kind:
            case "mail" | "answer" | "vouched" | "form" | "call":
                self._receive(kind, who, number, fresh)
            case "merge" if self.merges:
                self.merged += self.record(lambda s, tx: merging.merge(s, tx, one, other, self.about())) > 0
            case "unmerge" if self.merges and (merged := self.merged_pairs()):
                member, into = merged[who % len(merged)]
                self.record(lambda s, tx: merging.unmerge(s, tx, into, member, self.about()))
            case "refuse":
                pair = suggestion_id(one, other)
                self.record(lambda s, tx: merging.refuse(s, tx, pair, self.about()))
            case "card" | "told":
                self._write(kind, one, number, fresh)
            case "note" | "tag" | "close" | "step" | "move" if self.said:
                self._work(kind, number, fresh)

    def _receive(self, kind: str, who: int, number: int, fresh: UUID) -> None:
        said = {"id": fresh, "external_id": f"<{fresh}@x>", "occurred_at": self.now, "received_at": self.now}
        phone = Address("phone", f"+49151{number % PHONES}")
        if kind == "call":
            item = call_report("missed" if who % 2 else "ringing", str(fresh), phone.address)
            item = replace(item, id=fresh, occurred_at=self.now)
        elif kind == "form":
            form = {"channel_id": FORM, "channel_kind": "web_form", "kind": "form", "identities": (phone,)}
            item = inbound("form", address(who), f"P{who}", **said, **form)
        else:
            answers = (self.said[number % len(self.said)][2],) if kind == "answer" and self.said else ()
            vouched = (phone,) if kind == "vouched" else ()
            item = inbound(f"mail {number}", address(who), f"P{who}", refers_to=answers, vouched=vouched, **said)
        self.record(lambda s, tx: intake.receive(s, tx, [item]))

    def _write(self, kind: str, one: UUID, number: int, fresh: UUID) -> None:
        self.show()
        whose = self.stood.setdefault(fresh, groups.root(self.tx, one))
        on = one if self.merges else whose
        if kind == "card":
            wanted = [card_rules.Wanted(("segment", "notes", "organisation")[number % 3], str(fresh))]
            self.record(lambda s, tx: change_card(s, tx, on, wanted, {}, self.about()))
        else:
            said = card_rules.Said("email", "withdrawn" if number % 2 else "given", "", self.now, "by telephone")
            self.record(lambda s, tx: note_consent(s, tx, on, said, self.about()))

    def _work(self, kind: str, number: int, fresh: UUID) -> None:
        conversation, message, _ = self.said[number % len(self.said)]
        about = self.about()
        commands = {"note": c.AddNote(fresh, "note"), "tag": c.Tag((f"t{number}",), ()), "close": c.Close()}
        if kind == "move":
            self.record(lambda s, tx: move(s, tx, conversation, [message], self.said[0][0], about))
        elif kind == "step":
            state = Session(self.tx, self.cache).conversation(conversation).state
            assert state.customer_id is not None
            plan = c.PlanStep(fresh, state.customer_id, conversation, "write", self.now)
            self.record(lambda s, tx: s.decide_step(fresh, plan, about))
        else:
            self.record(lambda s, tx: s.decide(conversation, commands[kind], about))

    def record(self, decide: Callable[[Session, Transaction], object]) -> int:
        """Return how many events that made: none when it was refused."""
        session = Session(self.tx, self.cache)
        try:
            decide(session, self.tx)
        except Refused:
            return 0
        recorded = session.save(self.tx, self.now, [])
        self.cache.put(session.states.items())
        for each in recorded:
            if type(each.event).__name__ == "MessageReceived":
                event: Any = each.event
                self.said.append((event.conversation_id, event.message_id, event.external_id))
        return len(recorded)

    def show(self) -> None:
        while events := read_log(self.tx, live.position(self.tx), 20):
            live.take_in(self.tx, events)

    def about(self) -> About:
        return About(self.now, OLGA)


@dataclass(frozen=True, slots=True)
class Lived:
    """How many merges there were, and how many events between one and the end of it, at most."""

    merges: int
    farthest: int


def person(number: int) -> UUID:
    """Return the id of a customer who is there from the start: of an e-mail address, or of a telephone number."""
    if number < PEOPLE:
        return customer_id_at(AT + timedelta(minutes=number), Stored("email", address(number)))
    return customer_id_at(AT, Stored("phone", f"+49151{number - PEOPLE}"))


def address(number: int) -> str:
    return f"p{number % PEOPLE}@example.com"


@cache
def _beginning() -> tuple[sqlite3.Connection, list[Said]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    tx = SqliteTransaction(connection)
    for statement in schema_statements(tx):
        connection.execute(statement)
    for script in (*SCHEMAS, routing.SCHEMA, raw_items.SCHEMA, erasures.SCHEMA, live.SCHEMA):
        tx.script(script)
    for model in live.models().values():
        tx.script(model.schema(""))
        tx.script(model.indexes(""))
        tx.run("INSERT INTO read_model_positions VALUES (?, ?, 0, 0)", (model.name, model.version))
    business = Business(False, tx)
    business.live(BEGINNING)
    return connection, business.said


@contextmanager
def begun(merges: bool) -> Iterator[Business]:
    """Yield a business in which everybody is known already."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        beginning, said = _beginning()
        beginning.backup(connection)
        yield Business(merges, SqliteTransaction(connection), said=list(said))


# --- what is shown ----------------------------------------------------------------------------------------


def shown(business: Business, reached: Collection[str] = ()) -> dict[str, Any]:
    """Return everything that is shown of everybody, but where in the log it stands.

    `reached`: whose call-backs are left out.
    """
    tx = business.tx

    def leaves(table: str, row: Row) -> bool:
        return table == "routing_call_backs" and row[0] in reached

    found: dict[str, Any] = {
        "customers": customers.page(tx, None, 1000),
        "steps": due.page(tx, due.Wanted(None), None, 1000),
        "suggestions": suggestions.page(tx, None, 1000),
        "routing": {
            table: sorted((row for row in tx.rows(f"SELECT * FROM {table}") if not leaves(table, row)), key=repr)
            for table in ROUTING
        },
    }
    for status in (None, "open", "closed", "snoozed"):
        found[f"conversations {status}"] = conversations.page(tx, status, None, None, 1000)
    for id_ in map(person, range(PEOPLE + PHONES)):
        found[f"customer {id_}"] = customers.customer(tx, id_)
        found[f"card {id_}"] = cards.card(tx, id_, {})
        found[f"timeline {id_}"] = timeline.of_customer(tx, id_, EVERYTHING)
        found[f"conversations {id_}"] = conversations.page(tx, None, id_, None, 1000)
        found[f"steps {id_}"] = due.page(tx, due.Wanted(None, id_), None, 1000)
        found[f"suggestions {id_}"] = suggestions.of_customer(tx, id_)
    found |= found_in_search(tx)
    without: dict[str, Any] = _without_positions(found, reached)
    return without


def found_in_search(tx: Transaction) -> dict[str, Any]:
    """Return what a search for each word finds, of everybody and of each customer as they are shown."""
    live.take_in_apart(tx, SEARCH.name, read_log(tx, 0, 1_000_000))
    found: dict[str, Any] = {}
    for word in WORDS:
        found[f"search {word}"] = search(tx, parse(word), Filters(), None, 1000).items
        for id_ in map(person, range(PEOPLE + PHONES) if word in WORDS[:2] else ()):
            whose = tuple(map(UUID, groups.members(tx, id_)))
            found[f"search {word} {id_}"] = search(tx, parse(word), Filters(customers=whose), None, 1000).items
    return found


def _without_positions(value: Any, reached: Collection[str]) -> Any:
    if isinstance(value, dict):
        without = ("position", "raw", "id") if value.get("kind") in WRITTEN else ("position", "raw")
        return {name: _without_positions(each, reached) for name, each in value.items() if name not in without}
    if isinstance(value, list):
        left = (each for each in value if not (_is_call_back(each) and each["customer_id"] in reached))
        return [_without_positions(each, reached) for each in left]
    return value


def _is_call_back(value: Any) -> bool:
    """Whether this is such a step, or an entry of a timeline that tells of one."""
    return isinstance(value, dict) and CALL_BACK in (value.get("what"), value.get("text"))


def check_groups(business: Business, twin: Business) -> None:
    """While customers are merged: a group shows what its members have without merges, in order, page by page."""
    order = {_name(entry): entry["position"] for entry in _all_entries(twin)}
    counts = {each["id"]: each["conversations"] for each in customers.page(twin.tx, None, 1000)}
    expected = _groups(business)
    assert [each["id"] for each in customers.page(business.tx, None, 1000)] == [
        id_ for id_ in counts if id_ in expected
    ]
    for each in customers.page(business.tx, None, 1000):
        ids = [each["id"], *(member["id"] for member in each["members"])]
        assert set(ids) == expected[each["id"]]
        whole = timeline.of_customer(business.tx, UUID(ids[-1]), EVERYTHING)
        own = [_name(each) for id_ in ids for each in _all_of(twin, UUID(id_))]
        kept = [_name(entry) for entry in whole if entry["kind"] != "merged" and not _is_call_back(entry)]
        assert kept == sorted(own, key=lambda name: order[name])
        assert sum(entry["kind"] == "merged" for entry in whole) == len(each["members"])
        assert {entry["customer_id"] for entry in whole} == {each["id"]}
        assert each["conversations"] == sum(counts[id_] for id_ in ids)
        _check_card(business, twin, ids)
        for start in range(0, len(whole), 7):
            after = whole[start - 1]["position"] if start else None
            page = timeline.Page(7, after)
            assert timeline.of_customer(business.tx, UUID(ids[0]), page) == whole[start : start + 7]
    _check_suggestions(business, expected)


def _name(entry: Body) -> str:
    """Return what an entry is called with and without merges: those of a card by where in their stream they stand."""
    return f"{entry['kind']} {entry['text']} {entry['occurred_at']}" if entry["kind"] in WRITTEN else entry["id"]


def _check_card(business: Business, twin: Business, ids: list[str]) -> None:
    """Each field is that of the first member who has one, the consent the one that was said last."""
    shown_card = cards.card(business.tx, UUID(ids[-1]), {})
    own = [cards.card(twin.tx, UUID(id_), {}) for id_ in ids]
    assert shown_card is not None
    for name in ("segment", "notes", "organisation"):
        assert shown_card[name] == next((card[name] for card in own if card and card[name]), None)
    said = [card["consents"]["email"] for card in own if card and "email" in card["consents"]]
    last = max(said, key=lambda each: str(each["at"]), default=None)
    assert shown_card["consents"].get("email") == last


def _groups(business: Business) -> dict[str, set[str]]:
    """Return who is shown together, by who stands for them: from the merges alone."""
    into = {str(member): str(other) for member, other in business.merged_pairs()}
    found: dict[str, set[str]] = {}
    for id_ in (str(person(number)) for number in range(PEOPLE + PHONES)):
        root = id_
        while root in into:
            root = into[root]
        found.setdefault(root, set()).add(id_)
    return found


def _check_suggestions(business: Business, expected: dict[str, set[str]]) -> None:
    """Two groups are suggested if a pair of their members is, and none of them has been refused."""
    root_of = {id_: root for root, ids in expected.items() for id_ in ids}
    pairs: dict[str, set[frozenset[str]]] = {"open": set(), "refused": set()}
    for one, other, state in business.tx.rows("SELECT customer_id, other_id, state FROM merge_suggestions"):
        pairs[state].add(frozenset((root_of[one], root_of[other])))
    wanted = {pair for pair in pairs["open"] - pairs["refused"] if len(pair) == 2}
    everywhere = suggestions.page(business.tx, None, 1000)
    assert {frozenset((each["customer"]["id"], each["other"]["id"])) for each in everywhere} == wanted
    for root in expected:
        shown_for = suggestions.of_customer(business.tx, UUID(root))
        assert {frozenset((root, each["other"]["id"])) for each in shown_for} == {p for p in wanted if root in p}


def _all_entries(business: Business) -> list[Body]:
    return [each for number in range(PEOPLE + PHONES) for each in _all_of(business, person(number))]


def _all_of(business: Business, customer_id: UUID) -> list[Body]:
    entries = timeline.of_customer(business.tx, customer_id, EVERYTHING)
    return [entry for entry in entries if not _is_call_back(entry)]


def tables(business: Business) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Return the read models as they are, and as they are built anew from the log."""
    with tables_of(business.events()) as rebuilt:
        return contents(business.tx), contents(rebuilt)


def compare(life: list[Step], *, call_backs: bool = False) -> Lived:
    """Live a life with and without merges and compare; `call_backs`: also those of people who were merged."""
    with begun(True) as merged, begun(False) as alone:
        lived = live_both(life, merged, alone)
        reached = () if call_backs else merged.ever_merged()
        assert shown(merged, reached) == shown(alone, reached)
        return lived


def live_both(life: list[Step], merged: Business, alone: Business) -> Lived:
    merged.live(life)
    alone.stood = merged.stood
    alone.live(life)
    check_groups(merged, alone)
    as_it_is, rebuilt = tables(merged)
    assert as_it_is == rebuilt
    merged.part()
    as_it_is, rebuilt = tables(merged)
    assert as_it_is == rebuilt
    return Lived(merged.merged, merged.farthest())
