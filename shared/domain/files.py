"""Files that are fetched in the background: announced with their message, arrived or given up later."""

from __future__ import annotations

from dataclasses import replace

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.state import Conversation, existing


def announce(command: c.AnnounceFiles, state: Conversation) -> list[e.ConversationEvent]:
    new = {
        file.ref: file
        for file in command.files
        if (command.message_id, file.ref) not in state.named_once and (command.item_id, file.ref) not in state.awaited
    }
    if not new:
        return []
    return [e.FilesAnnounced(*existing(state), command.message_id, command.item_id, tuple(new.values()), command.once)]


def take(command: c.TakeFile, state: Conversation) -> list[e.ConversationEvent]:
    """What is not awaited has been told already."""
    message_id = state.awaited.get((command.item_id, command.ref))
    if message_id is None:
        return []
    head = (*existing(state), message_id, command.item_id, command.ref)
    return [e.FileArrived(*head, command.file) if command.file else e.FileMissing(*head, command.reason)]


def announced(state: Conversation, event: e.FilesAnnounced) -> Conversation:
    awaited = {**state.awaited, **{(event.item_id, file.ref): event.message_id for file in event.files}}
    named = {(event.message_id, file.ref) for file in event.files} if event.once else set()
    return replace(state, awaited=awaited, named_once=state.named_once | named)


def ended(state: Conversation, event: e.FileArrived | e.FileMissing) -> Conversation:
    key = (event.item_id, event.ref)
    return replace(state, awaited={other: id_ for other, id_ in state.awaited.items() if other != key})
