"""The questions of services/export/README.md, run as they stand there on an export of a small history."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

import services.export
from services.export.files import JsonLines, whole_file
from services.export.parquet import Parquet
from shared.domain import events as e
from tests.examples import FORM, LINE, MAILBOX

README = Path(services.export.__file__).with_name("README.md").read_text()
SQL = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MONDAY = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)  # 9 in Moscow
OLGA, IVAN = (e.Actor("operator", str(UUID(int=n)), name) for n, name in enumerate(("Ольга", "Иван")))
CLIENT = e.Actor("customer")


class Days:
    """Events one after the other, each at an hour of a day."""

    def __init__(self) -> None:
        self.events: list[e.Recorded] = []

    def add(self, event: e.Event, hours: float, actor: e.Actor = CLIENT) -> None:
        at = MONDAY + timedelta(hours=hours)
        stream = getattr(event, "conversation_id", MAILBOX)
        self.events.append(e.Recorded(len(self.events) + 1, stream, 1, at, at, None, actor, event))

    def message(self, talk: str, hours: float, channel_kind: str = "email", **other: Any) -> None:
        values: dict[str, Any] = {"kind": "text", "direction": "inbound", "nature": "ordinary", "text": "Вопрос"}
        channel = {"email": MAILBOX, "web_form": FORM, "telephony": LINE}[channel_kind]
        head = (uuid5(MAILBOX, talk), uuid5(FORM, talk), uuid5(LINE, f"{talk}{hours}"), channel, channel_kind, "<a@b>")
        keywords = values | {"sender": e.Address("email", "a@b"), "raw": e.Raw("ab", 1, "text/plain")} | other
        self.add(e.MessageReceived(*head, **keywords), hours)

    def call(self, talk: str, hours: float, states: tuple[str, ...]) -> None:
        made = [e.Call(state, "inbound", "1", "2") for state in states]  # type: ignore[arg-type]
        self.message(talk, hours, "telephony", kind="call", call=made[0])
        message = self.events[-1].event
        assert isinstance(message, e.MessageReceived)
        for progress in made[1:]:
            head = (message.conversation_id, message.customer_id, message.message_id)
            self.add(e.CallProgressed(*head, progress), hours)

    def answer(self, talk: str, hours: float, who: e.Actor) -> None:
        head = (uuid5(MAILBOX, talk), uuid5(FORM, talk), uuid5(LINE, f"answer {talk}{hours}"), MAILBOX, MAILBOX)
        self.add(e.ReplyRequested(*head, (), "Вопрос", "Ответ"), hours, who)


@pytest.fixture
def history() -> list[e.Recorded]:
    days = Days()
    days.message("a", 0)
    days.answer("a", 0.5, OLGA)  # 30 minutes
    days.message("b", 1)
    days.message("b", 1.25)
    days.answer("b", 2.5, OLGA)  # 90 minutes
    days.answer("b", 3, IVAN)
    days.message("c", 24 * 7, "web_form")
    days.answer("c", 24 * 7 + 2, IVAN)  # 120 minutes
    days.answer("c", 24 * 7 + 2, OLGA)
    days.message("spam", 24 * 7 + 1, nature="spam")
    days.call("d", 1.5, ("ringing", "missed"))
    days.call("e", 1.75, ("ringing", "answered", "finished"))
    days.call("f", 24, ("missed",))
    days.add(e.CustomerRegistered(CLIENT_ID, "Анна", e.Address("email", "a@b")), 24 * 8)
    return days.events


CLIENT_ID = UUID(int=7)


def needs(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"5 questions are not asked: {name} is not installed")


def test_there_are_five_questions_in_both_languages() -> None:
    assert (len(SQL), len(PYTHON)) == (5, 1)


def duckdb_answers(events: list[e.Recorded]) -> list[list[Any]]:
    """Ask the README's questions to an export in the working directory."""
    import duckdb

    with whole_file("events.parquet") as out:
        file = Parquet(out)
        file.add(events)
        file.end()
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'America/New_York'")  # where the analyst sits must not matter
        return [database.execute(query).fetchall() for query in SQL]


def test_duckdb_answers_the_five_questions(
    history: list[e.Recorded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("duckdb")
    needs("pyarrow")
    monkeypatch.chdir(tmp_path)
    requests, first, busiest, missed, who = duckdb_answers(history)
    day = MONDAY.date()
    assert requests == [
        ("email", day, 3), ("telephony", day, 3), ("web_form", day + timedelta(days=7), 1)
    ]  # fmt: skip
    assert first == [("email", 60.0, 2), ("web_form", 120.0, 1)]
    assert busiest == [(10, 5), (9, 3)]
    assert missed == [(day, 1, 2), (day + timedelta(days=1), 1, 1)]
    assert who == [("Ольга", 3, 3), ("Иван", 2, 2)]


def pandas_answers(events: list[e.Recorded]) -> dict[str, Any]:
    """Run the README's lines on an export in the working directory; return the variables that they leave."""
    with whole_file("events.jsonl") as out:
        file = JsonLines(out, compressed=False)
        file.add(events)
        file.end()
    found: dict[str, Any] = {}
    exec(PYTHON[0], found)
    return found


def test_pandas_answers_the_five_questions(
    history: list[e.Recorded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("pandas")
    monkeypatch.chdir(tmp_path)
    found = pandas_answers(history)
    day = MONDAY.date()
    requests = {(kind, week.date()): count for (kind, week), count in found["requests"].items()}
    assert requests == {("email", day): 3, ("telephony", day): 3, ("web_form", day + timedelta(days=7)): 1}
    assert dict(found["first_answer"]) == {"email": 60.0, "web_form": 120.0}
    assert dict(found["busiest"]) == {10: 5, 9: 3}
    assert dict(found["missed"]) == {day: 1, day + timedelta(days=1): 1}
    assert dict(found["who"]) == {"Ольга": 3, "Иван": 2}


def without(history: list[e.Recorded], what: str) -> list[e.Recorded]:
    def left_out(event: e.Event) -> bool:
        match what:
            case "calls":
                return isinstance(event, e.CallProgressed) or getattr(event, "call", None) is not None
            case "replies":
                return isinstance(event, e.ReplyRequested)
            case "messages":
                return isinstance(event, e.MessageReceived)
            case _:
                return True

    return [recorded for recorded in history if not left_out(recorded.event)]


ANSWERS = {"requests", "first_answer", "busiest", "missed", "who"}
LACKING = {"calls": {"missed"}, "replies": {"first_answer", "who"}, "messages": ANSWERS - {"who", "missed"}}


@pytest.mark.parametrize("what", ["calls", "replies", "messages", "anything"])
def test_pandas_answers_a_business_that_lacks(
    what: str, history: list[e.Recorded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("pandas")
    monkeypatch.chdir(tmp_path)
    found = pandas_answers(without(history, what))
    assert {name for name in ANSWERS if not len(found[name])} == LACKING.get(what, ANSWERS)


@pytest.mark.parametrize("what", ["calls", "replies", "messages", "anything"])
def test_duckdb_answers_a_business_that_lacks(
    what: str, history: list[e.Recorded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("duckdb")
    needs("pyarrow")
    monkeypatch.chdir(tmp_path)
    answers = duckdb_answers(without(history, what))
    names = ("requests", "first_answer", "busiest", "missed", "who")
    assert {name for name, rows in zip(names, answers, strict=True) if not rows} == LACKING.get(what, ANSWERS)
