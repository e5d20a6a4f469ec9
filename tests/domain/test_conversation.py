"""A conversation: given events, when a command, then events."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import timedelta
from functools import reduce
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.conversation import NEW, TAG_LIMIT, Conversation, decide, evolve
from shared.domain.customer import Customer, customer_id_at, customer_id_for, register
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.state import TEXT_LIMIT, THREAD_LIMIT, Reply, with_message
from tests.examples import (
    ANNA,
    AT,
    CALL,
    CONVERSATION,
    CUSTOMER,
    FORM,
    MAILBOX,
    called,
    failed,
    opened,
    received,
    requested,
    sent,
)

HEAD = (CONVERSATION, CUSTOMER)
REPLY = UUID(int=0xF1)
LATER = AT + timedelta(hours=1)
MESSAGE = received()
OPEN = [opened(), MESSAGE]
CLOSED = [*OPEN, e.ConversationClosed(*HEAD)]
SNOOZED = [*OPEN, e.ConversationSnoozed(*HEAD, LATER)]
ANSWERED = [*OPEN, requested(REPLY)]
UNKNOWN = e.ReplyFateUnknown(*HEAD, REPLY, 1, 1, "lost", "timeout")


def state_after(past: Sequence[e.ConversationEvent]) -> Conversation:
    return reduce(evolve, past, NEW)


def when(past: Sequence[e.ConversationEvent], command: c.ConversationCommand) -> list[e.ConversationEvent]:
    return decide(command, state_after(past))


def refusal(past: Sequence[e.ConversationEvent], command: c.ConversationCommand) -> str:
    with pytest.raises(Refused) as refused:
        when(past, command)
    return refused.value.code


# --- a message --------------------------------------------------------------------------------------------


def test_the_first_message_opens_a_conversation() -> None:
    assert when([], c.ReceiveMessage(MESSAGE, "first message of a thread")) == [opened(), MESSAGE]


def test_a_further_message_joins_it() -> None:
    again = received("more")
    assert when(OPEN, c.ReceiveMessage(again, "same thread")) == [again]


@pytest.mark.parametrize("past", [CLOSED, SNOOZED])
def test_a_message_to_a_conversation_that_is_not_open_reopens_it(past: list[e.ConversationEvent]) -> None:
    again = received("more")
    assert when(past, c.ReceiveMessage(again, "")) == [e.ConversationReopened(*HEAD, "message"), again]


def test_a_call_we_made_does_not_reopen_a_closed_conversation() -> None:
    call = called("finished", direction="outbound")
    ours = received("", message_id=CALL, kind="call", direction="outbound", call=call.call)
    assert when(CLOSED, c.ReceiveMessage(ours, "")) == [ours]
    assert state_after([*CLOSED, ours]).answerable == state_after(CLOSED).answerable


QUIET = ("automatic", "bounce", "complaint", "receipt", "loop", "spam")


@pytest.mark.parametrize("past", [CLOSED, SNOOZED, OPEN])
@pytest.mark.parametrize("nature", QUIET)
def test_what_no_person_wrote_neither_reopens_nor_becomes_what_is_answered(
    past: list[e.ConversationEvent], nature: e.Nature
) -> None:
    message = received("away", nature=nature)
    assert when(past, c.ReceiveMessage(message, "")) == [message]
    assert state_after([*past, message]).answerable == state_after(past).answerable


@pytest.mark.parametrize("nature", ["ordinary", "list"])
def test_a_mail_of_a_list_reopens_like_any_other(nature: e.Nature) -> None:
    message = received("news", nature=nature)
    assert when(CLOSED, c.ReceiveMessage(message, "")) == [e.ConversationReopened(*HEAD, "message"), message]


def test_an_automatic_message_can_be_answered_where_there_is_nothing_else() -> None:
    message = received("away", nature="automatic")
    (event,) = when([opened(), message], c.RequestReply(REPLY, "Hi"))
    assert isinstance(event, e.ReplyRequested)
    assert event.answers == message.message_id


def test_spam_opens_its_conversation_closed_and_tagged() -> None:
    message = received("buy", nature="spam")
    assert when([], c.ReceiveMessage(message, "first message of a thread")) == [
        opened(), message, e.ConversationTagged(*HEAD, ("spam",)), e.ConversationClosed(*HEAD)
    ]  # fmt: skip


# --- a call -----------------------------------------------------------------------------------------------

STATES = ("ringing", "answered", "finished", "missed", "failed")
FACTS = {"answered_by": "Olga", "waiting_seconds": 0, "talking_seconds": 60, "recording": "ef" * 32}


def told(reports: Sequence[e.MessageReceived]) -> tuple[e.Call, int]:
    """Return the call after these reports, and how many messages they made."""
    past: list[e.ConversationEvent] = []
    for report in reports:
        past += when(past, c.ReceiveMessage(report, ""))
    return state_after(past).calls[CALL], len([event for event in past if isinstance(event, e.MessageReceived)])


def test_a_call_moves_forward() -> None:
    past = [opened(), called("ringing")]
    answered = e.Call("answered", "inbound", "+491511", "+4930", "Olga", 3)
    assert when(past, c.ReceiveMessage(called("answered", answered_by="Olga", waiting_seconds=3), "")) == [
        e.CallProgressed(*HEAD, CALL, answered)
    ]
    finished = when([*past, e.CallProgressed(*HEAD, CALL, answered)], c.ReceiveMessage(called("finished"), ""))
    assert finished == [e.CallProgressed(*HEAD, CALL, e.Call("finished", "inbound", "+491511", "+4930", "Olga", 3))]


def test_a_call_never_moves_back_but_late_facts_fill_what_was_empty() -> None:
    past = [opened(), called("finished", talking_seconds=60)]
    assert when(past, c.ReceiveMessage(called("ringing"), "")) == []
    assert when(past, c.ReceiveMessage(called("answered", talking_seconds=1, waiting_seconds=0), "")) == [
        e.CallProgressed(*HEAD, CALL, e.Call("finished", "inbound", "+491511", "+4930", "", 0, 60))
    ]


def test_a_late_report_of_a_call_does_not_reopen_a_closed_conversation() -> None:
    past = [opened(), called("missed"), e.ConversationClosed(*HEAD)]
    (event,) = when(past, c.ReceiveMessage(called("missed", recording="ef" * 32), ""))
    assert isinstance(event, e.CallProgressed)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sets(st.sampled_from(sorted(FACTS))), min_size=5, max_size=5), st.integers(0, 4))
def test_any_order_and_repetition_of_reports_gives_the_same_call(facts: list[set[str]], repeated: int) -> None:
    """A provider tells a fact or leaves it out; what it tells is the same each time."""
    reports = [
        called(state, **{name: FACTS[name] for name in names}) for state, names in zip(STATES, facts, strict=True)
    ]
    for size in (2, 3, 5):
        for chosen in itertools.combinations(reports, size):
            orders = [told(order) for order in itertools.permutations(chosen)]
            orders.append(told([*chosen, chosen[repeated % size], chosen[0]]))
            assert orders == [orders[0]] * len(orders)
            assert orders[0][1] == 1


def test_calls_and_messages_of_one_conversation_keep_apart() -> None:
    other = called("ringing", call_id=uuid4())
    assert when([opened(), called("ringing")], c.ReceiveMessage(other, "")) == [other]


# --- a reply ----------------------------------------------------------------------------------------------


def test_a_reply_answers_the_clients_last_message() -> None:
    first = received("1", external_id="<1@x>", refers_to=("<near@x>", "<far@x>"))
    form = e.Address("email", "form@example.com", "Anna")
    last = received("2", external_id="<2@x>", reply_to=form, reply_channel=FORM, subject="Other", thread_key="chat-1")
    file = e.File("ab" * 32, 1, "a", "text/plain")
    past = [opened(), first, requested(uuid4()), sent(uuid4(), its_id="<ours@x>"), last]
    assert when(past, c.RequestReply(REPLY, "Hi", (file,))) == [
        e.ReplyRequested(
            *HEAD, REPLY, last.message_id, FORM, (form,), "Other", "Hi", "<2@x>",
            ("<far@x>", "<near@x>", "<1@x>", "<ours@x>", "<2@x>"), "chat-1", (file,),
        )
    ]  # fmt: skip


def test_a_reply_without_another_address_goes_to_the_sender_on_the_channel_it_came_by() -> None:
    (event,) = when(OPEN, c.RequestReply(REPLY, "Hi"))
    assert isinstance(event, e.ReplyRequested)
    assert (event.to, event.channel_id, event.answers) == ((ANNA,), MAILBOX, MESSAGE.message_id)


def test_a_reply_refers_to_the_last_messages_of_a_long_thread_only() -> None:
    past = [opened(), *(received(external_id=f"<{n}@x>") for n in range(50))]
    (event,) = when(past, c.RequestReply(REPLY, "Hi"))
    assert isinstance(event, e.ReplyRequested)
    assert event.references == tuple(f"<{n}@x>" for n in range(50 - THREAD_LIMIT, 50))


def test_the_same_reply_asked_for_twice_is_one_reply() -> None:
    assert when(ANSWERED, c.RequestReply(REPLY, "Hi")) == []


@pytest.mark.parametrize(
    ("past", "text", "code"),
    [
        (OPEN, "  \n", "empty_text"),
        (OPEN, "x" * (TEXT_LIMIT + 1), "text_too_long"),
        ([opened()], "Hi", "nothing_to_answer"),
        ([opened(), received(cannot_reply="no address")], "Hi", "cannot_reply"),
        ([], "Hi", "no_such_conversation"),
    ],
)
def test_a_reply_that_cannot_be_given_is_refused(past: list[e.ConversationEvent], text: str, code: str) -> None:
    assert refusal(past, c.RequestReply(REPLY, text)) == code


def test_the_longest_reply_is_taken() -> None:
    assert len(when(OPEN, c.RequestReply(REPLY, "x" * TEXT_LIMIT))) == 1


def report(state: str, attempt: int = 1, reply_id: UUID = REPLY) -> c.RecordDelivery:
    return c.RecordDelivery(reply_id, MAILBOX, attempt, state, 3, "<s@x>", ("<k@x>",), "why", "550")  # type: ignore[arg-type]


def test_a_report_becomes_the_fate_of_the_reply() -> None:
    assert when(ANSWERED, report("sent")) == [e.ReplySent(*HEAD, REPLY, MAILBOX, 1, 3, "<s@x>", ("<k@x>",))]
    assert when(ANSWERED, report("failed")) == [e.ReplyFailed(*HEAD, REPLY, 1, 3, "why", "550")]
    assert when(ANSWERED, report("unknown")) == [e.ReplyFateUnknown(*HEAD, REPLY, 1, 3, "why", "550")]


FATES = ([sent(REPLY)], [failed(REPLY)], [UNKNOWN], [failed(REPLY), e.ReplyRetried(*HEAD, REPLY, 2), sent(REPLY, 2)])


@pytest.mark.parametrize(("fate", "state"), list(itertools.product(FATES, ("sent", "failed", "unknown"))))
def test_a_reply_whose_fate_is_known_keeps_it(fate: list[e.ConversationEvent], state: str) -> None:
    known_at_last = fate == [UNKNOWN] and state == "sent"
    assert len(when([*ANSWERED, *fate], report(state))) == known_at_last


def test_a_reply_of_unknown_fate_was_sent_when_that_is_found_out_later() -> None:
    assert when([*ANSWERED, UNKNOWN], report("sent")) == [e.ReplySent(*HEAD, REPLY, MAILBOX, 1, 3, "<s@x>", ("<k@x>",))]


AGAIN = e.ReplyRetried(*HEAD, REPLY, 2)


@pytest.mark.parametrize(
    ("since", "latest"),
    [([AGAIN], 2), ([AGAIN, failed(REPLY, 2)], 2), ([AGAIN, e.ReplyFateUnknown(*HEAD, REPLY, 2, 1, "lost")], 2),
     ([AGAIN, failed(REPLY, 2), e.ReplyRetried(*HEAD, REPLY, 3)], 3)],
)  # fmt: skip
def test_a_lost_attempt_was_sent_when_that_is_found_out_after_it_was_tried_again(
    since: list[e.ConversationEvent], latest: int
) -> None:
    past = [*ANSWERED, UNKNOWN, *since]
    (told,) = when(past, report("sent", attempt=1))
    assert told == e.ReplySent(*HEAD, REPLY, MAILBOX, latest, 3, "<s@x>", ("<k@x>",))
    came_back = e.ReplyBounced(*HEAD, REPLY, told.attempt)
    assert when([*past, told, came_back], c.RetryReply(REPLY)) == [e.ReplyRetried(*HEAD, REPLY, latest + 1)]
    assert when([*past, told], report("failed", attempt=2)) == []
    assert refusal([*past, told], c.RetryReply(REPLY)) == "no_such_reply"
    assert [when(past, report(state, attempt=1)) for state in ("failed", "unknown")] == [[], []]


def test_an_old_report_of_an_attempt_that_came_back_tells_nothing() -> None:
    bounced = e.ReplyBounced(*HEAD, REPLY, 1)
    for came_back in ([sent(REPLY), bounced], [UNKNOWN, bounced]):
        assert when([*ANSWERED, *came_back], report("sent", attempt=1)) == []
        assert when([*ANSWERED, *came_back, AGAIN], report("sent", attempt=1)) == []


@pytest.mark.parametrize("fate", [failed(REPLY), UNKNOWN])
def test_a_reply_that_was_not_sent_is_sent_again_when_the_operator_says_so(fate: e.ConversationEvent) -> None:
    retried = e.ReplyRetried(*HEAD, REPLY, 2, lost=(1,) if fate == UNKNOWN else ())
    assert when([*ANSWERED, fate], c.RetryReply(REPLY)) == [retried]
    assert when([*ANSWERED, fate, retried], c.RetryReply(REPLY)) == []
    assert len(when([*ANSWERED, fate, retried], report("sent", attempt=1))) == (fate == UNKNOWN)
    assert when([*ANSWERED, fate, retried], report("failed", attempt=2)) == [
        e.ReplyFailed(*HEAD, REPLY, 2, 3, "why", "550")
    ]
    third = replace(retried, attempt=3)
    assert when([*ANSWERED, fate, retried, failed(REPLY, 2)], c.RetryReply(REPLY)) == [third]


@pytest.mark.parametrize("retried", [AGAIN, replace(AGAIN, lost=(1,))], ids=["old", "new"])
def test_a_retry_names_the_lost_attempts_it_is_made_for_and_after_a_bounce_none(retried: e.ReplyRetried) -> None:
    twice = [*ANSWERED, UNKNOWN, retried, e.ReplyFateUnknown(*HEAD, REPLY, 2, 1, "lost")]
    third = e.ReplyRetried(*HEAD, REPLY, 3, lost=(1, 2))
    assert when(twice, c.RetryReply(REPLY)) == [third]
    assert when([*twice, third, failed(REPLY, 3)], c.RetryReply(REPLY)) == [replace(third, attempt=4)]
    for came_back in ([*ANSWERED, UNKNOWN, retried, sent(REPLY, 2)], twice):
        bounced = e.ReplyBounced(*HEAD, REPLY, 2)
        assert when([*came_back, bounced], c.RetryReply(REPLY)) == [replace(third, lost=())]


def test_a_reply_that_was_sent_or_never_asked_for_cannot_be_sent_again() -> None:
    assert refusal([*ANSWERED, sent(REPLY)], c.RetryReply(REPLY)) == "no_such_reply"
    assert refusal(OPEN, c.RetryReply(REPLY)) == "no_such_reply"


def test_a_report_of_an_unknown_reply_changes_nothing_and_of_an_unknown_conversation_is_refused() -> None:
    assert when(OPEN, report("sent")) == []
    with pytest.raises(NoSuchThing):
        when([], report("sent"))


# --- what is told later -----------------------------------------------------------------------------------

SENT = [*ANSWERED, sent(REPLY)]
NOTICES = {
    "delivered": e.ReplyDelivered, "read": e.ReplyRead, "delayed": e.ReplyDelayed, "bounced": e.ReplyBounced,
    "complained": e.ReplyComplained,
}  # fmt: skip


def notice(state: str) -> c.RecordNotice:
    return c.RecordNotice(REPLY, 1, state, "a@b", "5.1.1", "no such user")  # type: ignore[arg-type]


@pytest.mark.parametrize("state", NOTICES)
def test_a_notice_of_a_reply_is_recorded_and_only_a_bounce_reopens(state: str) -> None:
    said = NOTICES[state](*HEAD, REPLY, 1, "a@b", "5.1.1", "no such user")
    reopened = [e.ConversationReopened(*HEAD, "bounce")] if state == "bounced" else []
    assert when(SENT, notice(state)) == [said]
    assert when([*SENT, e.ConversationClosed(*HEAD)], notice(state)) == [said, *reopened]


def test_a_reply_that_bounced_can_be_sent_again() -> None:
    bounced = e.ReplyBounced(*HEAD, REPLY, 1)
    assert when([*SENT, bounced], c.RetryReply(REPLY)) == [e.ReplyRetried(*HEAD, REPLY, 2)]
    assert when([*SENT, bounced, e.ReplyRetried(*HEAD, REPLY, 2)], notice("bounced")) == []


def test_a_bounce_of_a_lost_attempt_is_told_and_the_next_one_goes_on() -> None:
    past = [*ANSWERED, UNKNOWN, AGAIN]
    (told,) = when(past, notice("bounced"))
    assert told == e.ReplyBounced(*HEAD, REPLY, 1, "a@b", "5.1.1", "no such user", earlier=True)
    assert when([*past, told], notice("bounced")) == []
    assert when([*past, told], report("sent", attempt=1)) == []
    assert when([*past, told], report("sent", attempt=2)) == [
        e.ReplySent(*HEAD, REPLY, MAILBOX, 2, 3, "<s@x>", ("<k@x>",))
    ]
    fails = [*past, told, failed(REPLY, 2)]
    assert when(fails, c.RetryReply(REPLY)) == [e.ReplyRetried(*HEAD, REPLY, 3)]


def test_a_delivered_reply_of_unknown_fate_needs_no_second_sending() -> None:
    past = [*ANSWERED, UNKNOWN, e.ReplyDelivered(*HEAD, REPLY, 1)]
    assert refusal(past, c.RetryReply(REPLY)) == "no_such_reply"


def test_nobody_writes_to_a_client_who_has_blocked_us_until_they_are_back() -> None:
    blocked = e.CustomerReachChanged(*HEAD, MAILBOX, False, "blocked the bot")
    assert when(OPEN, c.Tell(blocked, opened())) == [blocked]
    assert refusal([*OPEN, blocked], c.RequestReply(REPLY, "Hi")) == "cannot_reply"
    back = e.CustomerReachChanged(*HEAD, MAILBOX, True)
    for again in (back, received("I am back")):
        assert len(when([*OPEN, blocked, again], c.RequestReply(REPLY, "Hi"))) == 1


def test_a_renamed_thread_is_where_the_answer_goes() -> None:
    past = [opened(), received(thread_key="-7"), e.ThreadRenamed(*HEAD, MAILBOX, "-7", "-1007")]
    (event,) = when(past, c.RequestReply(REPLY, "Hi"))
    assert isinstance(event, e.ReplyRequested)
    assert event.thread_key == "-1007"


def edit(text: str, known: bool = True) -> e.MessageEdited:
    return e.MessageEdited(*HEAD, MESSAGE.message_id, uuid4(), MAILBOX, "7", ANNA, text, known=known)


def test_an_edit_before_its_message_stands_in_for_it_once() -> None:
    early, second = edit("new", known=False), edit("newer", known=False)
    assert when([], c.Tell(early, opened())) == [opened(), early]
    assert when([opened(), early], c.Tell(second, opened())) == [replace(second, known=True)]
    assert when([opened(), early], c.ReceiveMessage(MESSAGE, "")) == [replace(MESSAGE, edited_before=True)]


def test_what_is_told_of_nothing_we_have_stands_in_a_closed_conversation() -> None:
    gone = e.MessageDeleted(*HEAD, uuid4(), MAILBOX, known=False)
    assert when([], c.Tell(gone, opened())) == [opened(), gone, e.ConversationClosed(*HEAD)]


# --- what operators do ------------------------------------------------------------------------------------


def test_a_note_is_added() -> None:
    id_ = uuid4()
    assert when(OPEN, c.AddNote(id_, "ask")) == [e.NoteAdded(*HEAD, id_, "ask")]
    assert refusal(OPEN, c.AddNote(id_, " ")) == "empty_text"
    assert refusal(OPEN, c.AddNote(id_, "x" * (TEXT_LIMIT + 1))) == "text_too_long"


def test_assigning_and_taking_back() -> None:
    olga = uuid4()
    assigned = e.ConversationAssigned(*HEAD, olga, "Olga")
    assert when(OPEN, c.Assign(olga, "Olga")) == [assigned]
    assert when([*OPEN, assigned], c.Assign(olga, "Olga")) == []
    assert when([*OPEN, assigned], c.Assign(None, "")) == [e.ConversationAssigned(*HEAD, None, "")]
    assert when(OPEN, c.Assign(None, "")) == []


def test_snoozing_and_waking() -> None:
    assert when(OPEN, c.Snooze(LATER, AT)) == [e.ConversationSnoozed(*HEAD, LATER)]
    assert when(SNOOZED, c.Snooze(LATER, AT)) == []
    assert when(SNOOZED, c.Snooze(LATER + timedelta(1), AT)) == [e.ConversationSnoozed(*HEAD, LATER + timedelta(1))]
    assert refusal(OPEN, c.Snooze(AT, AT)) == "time_has_passed"
    assert when(SNOOZED, c.EndSnooze(LATER - timedelta(microseconds=1))) == []
    assert when(SNOOZED, c.EndSnooze(LATER)) == [e.ConversationReopened(*HEAD, "time")]
    for past in (OPEN, CLOSED, [*SNOOZED, e.ConversationClosed(*HEAD)]):
        assert when(past, c.EndSnooze(LATER)) == []


def test_closing_and_reopening() -> None:
    assert when(OPEN, c.Close()) == when(SNOOZED, c.Close()) == [e.ConversationClosed(*HEAD)]
    assert when(CLOSED, c.Close()) == []
    assert when(CLOSED, c.Reopen()) == when(SNOOZED, c.Reopen()) == [e.ConversationReopened(*HEAD, "operator")]
    assert when(OPEN, c.Reopen()) == []


def test_tagging() -> None:
    tagged = e.ConversationTagged(*HEAD, ("vip", "new"), ())
    assert when(OPEN, c.Tag((" vip ", "new", "vip"), ("none",))) == [tagged]
    assert when([*OPEN, tagged], c.Tag(("vip",), ("new", "new"))) == [e.ConversationTagged(*HEAD, (), ("new",))]
    assert when([*OPEN, tagged], c.Tag(("vip",), ("none",))) == []
    assert refusal(OPEN, c.Tag(("x" * (TAG_LIMIT + 1),), ())) == refusal(OPEN, c.Tag(("",), ())) == "bad_tag"


COMMANDS = (
    c.RetryReply(REPLY), c.AddNote(REPLY, "x"), c.Assign(REPLY, "x"), c.Snooze(LATER, AT), c.EndSnooze(AT), c.Reopen(),
    c.Close(), c.Tag(("x",), ()),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_conversation_that_does_not_exist_takes_no_command(command: c.ConversationCommand) -> None:
    with pytest.raises(NoSuchThing):
        when([], command)


# --- a customer -------------------------------------------------------------------------------------------


def test_a_customer_is_registered_once_and_has_the_same_id_everywhere() -> None:
    id_ = customer_id_for(ANNA)
    assert register(id_, ANNA, Customer()) == [e.CustomerRegistered(id_, "Anna", ANNA)]
    assert register(id_, ANNA, Customer(id_)) == []
    assert customer_id_for(e.Address("email", "anna@example.com", "Another name")) == id_
    assert customer_id_for(e.Address("phone", "anna@example.com")) != id_


def test_who_writes_later_has_a_later_id_and_the_same_one_everywhere() -> None:
    later = AT + timedelta(milliseconds=64)
    ids = [customer_id_at(at, address) for at in (AT, later) for address in (ANNA, replace(ANNA, kind="phone"))]
    assert len(set(ids)) == 4
    assert max(ids[:2]) < min(ids[2:])
    assert customer_id_at(AT, replace(ANNA, name="Another name")) == ids[0]


def test_a_state_with_a_further_message_keeps_all_else() -> None:
    """`with_message` names the fields by their order."""
    full = Conversation(
        uuid4(), uuid4(), "snoozed", AT, uuid4(), frozenset({"vip"}), None, ("<a@x>",), {REPLY: Reply("failed")},
        {CALL: e.Call("missed", "inbound", "1", "2")}, "blocked", {(REPLY, "f"): CALL}, frozenset({(CALL, "f")}),
        frozenset({("email", "a@x")}), frozenset({CALL}), frozenset({CALL}), MAILBOX,
        e.ConversationMerged(CONVERSATION, CUSTOMER, REPLY, CUSTOMER, (), "open"),
    )  # fmt: skip
    (thread, people) = ("<b@x>",), frozenset({("email", "b@x")})
    assert with_message(full, None, thread, people) == replace(full, thread=thread, participants=people)
    assert [name for name, value in zip(Conversation.__slots__, astuple(full), strict=True) if not value] == [
        "answerable"
    ]


@pytest.mark.parametrize(
    ("kind", "asked", "quoted"), [("form", None, True), ("form", False, False), ("text", None, False)]
)
def test_the_clients_own_text_goes_along_where_they_have_it_in_no_mail_of_theirs(kind, asked, quoted):
    (event,) = when([opened(), received(kind=kind)], c.RequestReply(REPLY, "Десять тысяч.", quotes=asked))
    assert event.quotes is quoted
