"""What is said elsewhere from now on: messages moved, conversations merged. Decided and folded for `conversation`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.domain.messages import received, to_answer
from shared.domain.state import Conversation, existing

# --- decide -----------------------------------------------------------------------------------------------


def move_away(command: c.MoveAway, state: Conversation) -> list[e.ConversationEvent]:
    """A conversation that is left empty is closed."""
    head = existing(state)
    if command.to_conversation_id == state.id:
        raise Refused("there_already", "The message is in this conversation already")
    moved = e.MessageMoved(
        *head,
        command.message_id,
        command.to_conversation_id,
        command.to_customer_id,
        command.said_at,
        command.known_as,
        command.left,
        command.left_at,
        state.answerable is not None and state.answerable.message_id == command.message_id,
        command.waits_since,
    )
    closes = command.left is None and state.status != "closed"
    return [moved, e.ConversationClosed(*head)] if closes else [moved]


def take_in(command: c.TakeIn, state: Conversation) -> list[e.ConversationEvent]:
    message = command.message
    head = (message.conversation_id, message.customer_id)
    adopted = e.MessageAdopted(*head, message, command.from_conversation_id, command.said_at, command.is_newest)
    if state.status == "new":
        reason = "moved out of another conversation"
        opened = e.ConversationOpened(*head, message.channel_id, message.channel_kind, message.subject, reason)
        return [opened, adopted]
    if state.status != "open" and message.waits:
        return [e.ConversationReopened(*head, "message"), adopted]
    return [adopted]


def merge_into(command: c.MergeInto, state: Conversation) -> list[e.ConversationEvent]:
    """It is closed: what is said from now on is said in the other one."""
    head = existing(state)
    if state.merged is not None and state.merged.into_id == command.into_id:
        return []
    if state.merged is not None:
        raise Refused("already_merged", f"This conversation is merged already, into {state.merged.into_id}")
    if command.into_id == state.id:
        raise Refused("same_conversation", "A conversation cannot be merged into itself")
    was: Literal["open", "snoozed", "closed"] = "open" if state.status == "new" else state.status
    merged = e.ConversationMerged(*head, command.into_id, command.into_customer_id, command.threads, was)
    return [merged] if was == "closed" else [merged, e.ConversationClosed(*head)]


def go_on_alone(command: c.GoOnAlone, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if state.merged is None:
        raise Refused("not_merged", "This conversation is not merged into another one")
    alone = e.ConversationUnmerged(*head, state.merged.into_id, state.merged.threads)
    reopens = state.merged.was != "closed" and state.status == "closed"
    return [alone, e.ConversationReopened(*head, "operator")] if reopens else [alone]


# --- evolve -----------------------------------------------------------------------------------------------


def moved(state: Conversation, event: e.MessageMoved) -> Conversation:
    if not event.was_to_be_answered:
        return state
    return replace(state, answerable=to_answer(replace(state, answerable=None), event.left) if event.left else None)


def adopted(state: Conversation, event: e.MessageAdopted) -> Conversation:
    taken_in = received(state, event.message)
    if event.is_newest or state.answerable is None:
        return taken_in
    return replace(taken_in, answerable=state.answerable)
