"""What is told of messages, threads and clients that are there already: recorded as told, in whatever order it comes.

Nothing here depends on what came before: a table that shows messages puts the newest version last.
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.state import Conversation


def tell(command: c.Tell, state: Conversation) -> list[e.ConversationEvent]:
    """A conversation that begins so is open only when there is a text to be looked at."""
    told = command.told
    if isinstance(told, e.MessageEdited) and told.message_id in state.edited_ahead:
        told = replace(told, known=True)  # an earlier version of it stands there already
    if state.status != "new":
        return [told]
    if isinstance(told, e.MessageEdited):
        return [command.opening, told]
    return [command.opening, told, e.ConversationClosed(told.conversation_id, told.customer_id)]


def edited(state: Conversation, event: e.MessageEdited) -> Conversation:
    return state if event.known else replace(state, edited_ahead=state.edited_ahead | {event.message_id})


def reach_changed(state: Conversation, event: e.CustomerReachChanged) -> Conversation:
    return replace(state, unreachable="" if event.reachable else event.reason or BLOCKED)


def renamed(state: Conversation, event: e.ThreadRenamed) -> Conversation:
    target = state.answerable
    return replace(state, answerable=replace(target, thread_key=event.now) if target else None)


BLOCKED = "The client has blocked us"
