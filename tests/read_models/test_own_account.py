"""What somebody of the business said past Okno, from the account itself (Telegram Business): it is ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.domain import events as e
from shared.read_models import conversations, timeline
from shared.read_models.past import tables_of
from tests.examples import ANNA, AT, CONVERSATION, CUSTOMER, SYSTEM, opened, received


def told(*messages: e.MessageReceived) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the conversation and its messages after these, a minute apart."""
    events = [e.Recorded(1, CUSTOMER, 1, AT, AT, None, SYSTEM, e.CustomerRegistered(CUSTOMER, "Anna", ANNA))]
    events += [
        e.Recorded(n + 1, CONVERSATION, n, AT, AT + timedelta(minutes=n), None, SYSTEM, each)
        for n, each in enumerate((opened(), *messages), 1)
    ]
    with tables_of(events) as tx:
        shown = conversations.conversation(tx, CONVERSATION)
        assert shown is not None
        return shown, timeline.of_conversation(tx, CONVERSATION, timeline.Page(10))


@pytest.mark.parametrize(("nature", "waits"), [("ordinary", False), ("automatic", True)])
def test_what_was_answered_from_the_account_itself_waits_no_longer(nature: str, waits: bool) -> None:
    shown, _ = told(received("Когда?"), received("Завтра", direction="outbound", nature=nature))
    assert (shown["waiting_since"] is not None, shown["last_message"]["direction"]) == (waits, "outbound")


def test_it_is_not_taken_for_the_clients_words() -> None:
    _, (question, answer) = told(received("Когда?"), received("Завтра", direction="outbound"))
    assert question["author"]["kind"] == "customer"
    assert answer["author"] == {"kind": "operator", "name": None, "address": None}


def test_a_client_who_writes_again_waits_again() -> None:
    said = (received("Когда?"), received("Завтра", direction="outbound"), received("Во сколько?"))
    assert told(*said)[0]["waiting_since"] == "2026-11-21T12:04:00.000000Z"
