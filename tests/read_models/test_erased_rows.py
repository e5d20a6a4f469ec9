"""What the list shows of a conversation whose content was erased: that it was, and that nobody waits in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain import events as e
from shared.read_models import conversations
from shared.read_models.past import tables_of
from tests.examples import ANNA, AT, CONVERSATION, CUSTOMER, MAILBOX, MESSAGE, SYSTEM, failed, opened, received

NOBODY = e.Address("email", "", "")
REGISTERED = e.CustomerRegistered(CUSTOMER, "Anna", ANNA)
ERASED = e.CustomerErased(CUSTOMER, UUID(int=1), "asked for it")


def edited(text: str) -> e.MessageEdited:
    return e.MessageEdited(CONVERSATION, CUSTOMER, MESSAGE, UUID(int=2), MAILBOX, "x", None, text)


def shown(*told: tuple[e.Event, bool]) -> dict[str, Any]:
    """Return the conversation after these events, a minute apart, each with whether its content was erased."""
    events = [
        e.Recorded(
            n + 1, getattr(event, "conversation_id", CUSTOMER), n + 1, AT + timedelta(minutes=n),
            AT + timedelta(minutes=n), None, SYSTEM, event, erased,
        )
        for n, (event, erased) in enumerate([(REGISTERED, False), (opened(), False), *told])
    ]  # fmt: skip
    with tables_of(events) as tx:
        found = conversations.conversation(tx, CONVERSATION)
    assert found is not None
    return found


def test_an_empty_preview_says_that_it_was_erased() -> None:
    last = shown((received("", sender=NOBODY), True))["last_message"]
    assert (last["preview"], last["erased"]) == ("", True)
    assert "erased" not in shown((received("Hello"), False))["last_message"]


@pytest.mark.parametrize(("version", "erased"), [("Hello again", False), ("", True)])
def test_a_version_that_can_be_read_stands_for_one_that_was_erased_and_the_other_way_round(
    version: str, erased: bool
) -> None:
    first = received("", sender=NOBODY, message_id=MESSAGE)
    last = shown((first, not erased), (edited(version), erased))["last_message"]
    assert (last["preview"], last.get("erased", False)) == (version, erased)


@pytest.mark.parametrize(("words", "erased"), [("A photo of it", False), ("", True)])
def test_a_part_that_can_be_read_stands_for_one_that_was_erased_and_the_other_way_round(
    words: str, erased: bool
) -> None:
    first, part = (received(text, sender=NOBODY, message_id=MESSAGE) for text in ("", words))
    last = shown((first, not erased), (e.MessageExtended(CONVERSATION, CUSTOMER, part), erased))["last_message"]
    assert (last["preview"], last.get("erased", False)) == (words, erased)


def test_nobody_waits_for_an_answer_where_nobody_is_left_to_be_answered() -> None:
    row = shown((received("", sender=NOBODY), True))
    assert (row["unanswered"], row["waiting_since"]) == (False, None)
    assert row["cannot_reply"] == "The client was erased: there is nobody to write to"


def test_who_was_erased_waits_no_more_from_that_moment_on() -> None:
    assert shown((received(), False))["unanswered"]
    assert not shown((received(), False), (ERASED, False))["unanswered"]
    assert not shown((ERASED, False), (failed(UUID(int=3)), False))["unanswered"]


def test_whose_number_was_withheld_still_waits_for_somebody_to_look() -> None:
    withheld = received("", sender=NOBODY, cannot_reply="The number was withheld: there is nobody to call back.")
    assert shown((withheld, False))["unanswered"]
