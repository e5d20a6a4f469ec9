"""Putting right which conversation messages are in: moving, splitting, merging conversations and taking them apart."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, answer
from services.inbox_api.conversations import one_conversation
from services.inbox_api.short_lists import short, since
from shared.database.protocol import Transaction
from shared.event_store import moving, threads
from shared.event_store.session import Session
from shared.read_models import conversations


class MoveTo(msgspec.Struct):
    to: UUID | None
    """A conversation; null: a new one."""


class Split(msgspec.Struct):
    messages: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=500)]


class MergeConversation(msgspec.Struct):
    into: UUID


async def move(call: Call) -> Response:
    """POST /conversations/{id}/messages/{message_id}/move {to}: answers with the conversation it is in now."""
    asked = await call.body(MoveTo)
    return await _move(call, [call.id("message_id")], asked.to)


async def split(call: Call) -> Response:
    """POST /conversations/{id}/split {messages}: answers with the new conversation; merging it back undoes it."""
    asked = await call.body(Split)
    return await _move(call, asked.messages, None)


async def merge(call: Call) -> Response:
    """POST /conversations/{id}/merge {into}: answers with the conversation in which both go on."""
    asked, about = await call.body(MergeConversation), call.about()
    await call.record(lambda session, tx: threads.merge(session, tx, call.id(), asked.into, about))
    return answer(await one_conversation(call, asked.into))


async def unmerge(call: Call) -> Response:
    """POST /conversations/{id}/unmerge: answers with the conversation, which goes on by itself."""
    about = call.about()
    await call.record(lambda session, tx: threads.unmerge(session, tx, call.id(), about))
    return answer(await one_conversation(call, call.id()))


async def merged(call: Call) -> Response:
    """GET /conversations/{id}/merged: those that were merged into it, each of which can be taken out again."""
    items = await call.context.database.read(partial(_merged, conversation_id=call.id()))
    if items is None:
        raise HTTPException(404)
    return short(call, [(since(each["opened_at"], each["id"]), each) for each in items])


async def _move(call: Call, messages: list[UUID], to: UUID | None) -> Response:
    about, place = call.about(), list[UUID]()

    def decide(session: Session, tx: Transaction) -> None:
        place[:] = [moving.move(session, tx, call.id(), messages, to, about)]

    await call.record(decide)
    return answer(await one_conversation(call, place[0]))


def _merged(tx: Transaction, conversation_id: UUID) -> list[Body] | None:
    if conversations.conversation(tx, conversation_id) is None:
        return None
    found = (conversations.conversation(tx, UUID(id_)) for id_ in conversations.merged_into(tx, conversation_id))
    return with_channels(tx, [each for each in found if each is not None])
