"""What operators say to clients: replies with their recipients and files, edits, deletions, reactions, calls."""

from __future__ import annotations

import re
from functools import partial
from typing import Literal
from uuid import UUID

import msgspec
import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import signatures
from services.inbox_api.abilities import cannot_call
from services.inbox_api.channel_names import Body
from services.inbox_api.context import Call, answer
from services.inbox_api.conversations import handle, idempotency_id, one_conversation, one_message
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.events import ActionRequested, Address, File, ReplyRequested
from shared.domain.state import Conversation
from shared.event_store.lookup import KnownAs, asked_before, known_as
from shared.read_models import customers
from shared.registry.telephones import Telephones

Markup = Literal["plain", "markdown"]
TELEPHONY = "telephony"
_CONTENT_ID = re.compile(r"[A-Za-z0-9._+@-]{0,200}")


class UploadedFile(msgspec.Struct):
    """A file as POST /files has answered. `content_id`: Markdown that says `![x](cid:ID)` has the picture there."""

    sha256: str
    name: str
    media_type: str = "application/octet-stream"
    content_id: str = ""


class Reply(msgspec.Struct):
    """`to` null: to whom the message answered says. Others than the client can be written to by mail only.

    `answers`: a message of this conversation to be answered by name; null: the client's last one.
    """

    text: str = ""
    id: UUID | None = None
    markup: Markup = "plain"
    to: list[str] | None = None
    cc: list[str] = []
    bcc: list[str] = []
    files: list[UploadedFile] = []
    quotes: bool | None = None
    answers: UUID | None = None


class Edit(msgspec.Struct):
    text: str
    id: UUID | None = None
    markup: Markup = "plain"


class Delete(msgspec.Struct):
    id: UUID | None = None


class React(msgspec.Struct):
    """`reaction`: an emoji; empty: take it back."""

    reaction: str
    id: UUID | None = None


class Ring(msgspec.Struct):
    """`to` null: the client's number; `channel_id` null: the line the client called, or the only one there is.

    `operator_address` empty: the operator's own telephone, as it was set.
    """

    id: UUID | None = None
    to: str | None = None
    channel_id: UUID | None = None
    operator_address: str = ""


async def draft(call: Call) -> Response:
    """GET /conversations/{id}/draft: to whom a reply goes, to be shown and edited before it is sent."""
    shown = await one_conversation(call, call.id())
    state = await call.context.store.conversation(call.id())
    own = await call.context.database.read(_own_addresses)
    return answer(
        {
            **_draft(state, own),
            "cannot_reply": shown["cannot_reply"],
            "channel": shown["reply_channel"],
            "signature": await signatures.below(call, state),
        }
    )


async def reply(call: Call) -> Response:
    """POST /conversations/{id}/replies: the same id twice is one reply."""
    asked = await call.body(Reply)
    if not asked.text.strip() and not asked.files:
        raise Refused("empty_text", "A reply has a text or files")
    id_ = asked.id or idempotency_id(call)
    before = await _asked_before(call, id_)
    command = c.RequestReply(
        id_,
        asked.text,
        tuple([await _file(call, file) for file in asked.files]),
        asked.markup,
        None if asked.to is None else _mails(asked.to),
        _mails(asked.cc),
        _mails(asked.bcc),
        asked.quotes,
        answers=asked.answers,
        target=before.target if before else await _target(call, asked.answers) if asked.answers else "",
        signature=await signatures.of_reply(call),
    )
    await handle(call, command, once=id_)
    return answer(await one_message(call, id_), 201)


async def _target(call: Call, message_id: UUID) -> str:
    """Return what the channel calls the message that is answered. Raises Refused."""
    about = await call.context.database.read(partial(known_as, conversation_id=call.id(), message_id=message_id))
    if about is None:
        raise NoSuchThing("no_such_message", "There is no such message in this conversation")
    if not about.external_id:
        raise Refused("not_sent", "The channel does not know this message, or not yet")
    return about.external_id


async def edit(call: Call) -> Response:
    """POST /conversations/{id}/messages/{message_id}/edit {text}: change what we have sent."""
    asked = await call.body(Edit)
    return await _act(call, "edit", asked.id, asked.text, asked.markup)


async def delete(call: Call) -> Response:
    asked = await call.body(Delete)
    return await _act(call, "delete", asked.id)


async def react(call: Call) -> Response:
    asked = await call.body(React)
    if len(asked.reaction) > 64:
        raise HTTPException(422, "a reaction is one emoji")
    return await _act(call, "react", asked.id, asked.reaction)


async def ring(call: Call) -> Response:
    """POST /conversations/{id}/call: ring the operator's telephone, then the client's."""
    asked = await call.body(Ring)
    id_ = asked.id or idempotency_id(call)
    before = await _asked_before(call, id_)
    command = _called_again(asked, before) if isinstance(before, ActionRequested) else await _called(call, asked, id_)
    await handle(call, command, once=id_)
    return answer(await one_message(call, id_), 201)


async def _called(call: Call, asked: Ring, id_: UUID) -> c.RequestAction:
    """Return what the operator wants, with what they left open as the conversation says it. Raises Refused."""
    shown = await one_conversation(call, call.id())
    target = (await call.context.store.conversation(call.id())).answerable
    line = target.channel_id if target and target.to.kind == "phone" else None
    number = asked.to or (target.to.address if target and line else await _number(call, UUID(shown["customer_id"])))
    silent = await call.context.database.read(cannot_call)
    channel_id = asked.channel_id or (None if line in silent else line) or await _only_line(call, silent)
    if channel_id in silent:
        raise Refused("no_call", "This telephony has no way to start a call: dial the number yourself.")
    rings = asked.operator_address.strip() or await Telephones(call.context.database).of(call.operator.id)
    if not rings:
        raise Refused("no_telephone", "Say first where you are reached: your number or extension")
    return c.RequestAction(id_, "call", channel_id, (Address("phone", number),), operator_address=rings)


def _called_again(asked: Ring, before: ActionRequested) -> c.RequestAction:
    """Return the same for an id that was used: what they left open is what it was then."""
    to = (Address("phone", asked.to),) if asked.to else before.to
    rings = asked.operator_address.strip() or before.operator_address
    return c.RequestAction(before.reply_id, "call", asked.channel_id or before.channel_id, to, operator_address=rings)


async def _act(
    call: Call, action: Literal["edit", "delete", "react"], id_: UUID | None, text: str = "", markup: Markup = "plain"
) -> Response:
    id_ = id_ or idempotency_id(call)
    message_id = call.id("message_id")
    command = _action(await _about(call, id_, message_id), id_, action, message_id, text, markup)
    await handle(call, command, once=id_)
    return answer(await one_message(call, id_), 201)


async def _about(call: Call, id_: UUID, message_id: UUID) -> KnownAs | None:
    """Return the message that something is to be done with; as it was known when the same was asked for before."""
    if before := await _asked_before(call, id_):
        return KnownAs(before.channel_id, before.to, before.target, before.thread_key, is_ours=True)
    return await call.context.database.read(partial(known_as, conversation_id=call.id(), message_id=message_id))


async def _asked_before(call: Call, id_: UUID) -> ReplyRequested | ActionRequested | None:
    return await call.context.database.read(partial(asked_before, conversation_id=call.id(), id_=id_))


def _action(
    about: KnownAs | None,
    id_: UUID,
    action: Literal["edit", "delete", "react"],
    message_id: UUID,
    text: str,
    markup: Markup,
) -> c.RequestAction:
    if about is None:
        raise NoSuchThing("no_such_message", "There is no such message in this conversation")
    if action != "react" and not about.is_ours:
        raise Refused("not_ours", "Only what we have sent can be changed or deleted")
    head = (about.channel_id, about.to, message_id, about.external_id, text, markup, about.thread_key)
    return c.RequestAction(id_, action, *head)


def _draft(state: Conversation, own: set[str]) -> Body:
    target = state.answerable
    if target is None:
        return {"to": [], "cc": [], "bcc": [], "others": [], "subject": ""}
    to = {"kind": target.to.kind, "address": target.to.address, "name": target.to.name or None}
    others = [other for other in target.recipients if other.lower() not in own and other != target.to.address]
    return {"to": [to], "cc": [], "bcc": [], "others": others, "subject": target.subject}


def _own_addresses(tx: Transaction) -> set[str]:
    """Return the addresses of our own mailboxes: nobody wants to be in copy of their own answer."""
    settings = [orjson.loads(text) for (text,) in tx.rows("SELECT settings FROM channels")]
    return {each["address"].lower() for each in settings if isinstance(each.get("address"), str)}


def _mails(addresses: list[str]) -> tuple[Address, ...]:
    return tuple(Address("email", address.strip()) for address in addresses)


async def _file(call: Call, file: UploadedFile) -> File:
    try:
        size = await call.context.blobs.size(file.sha256)
    except FileNotFoundError:
        raise HTTPException(422, f"there is no file {file.sha256[:64]!r}: upload it first") from None
    if not _CONTENT_ID.fullmatch(file.content_id):
        raise HTTPException(422, f"{file.content_id[:80]!r} is no content_id: letters, digits and . _ + @ -")
    return File(file.sha256, size, file.name, file.media_type, file.content_id)


async def _number(call: Call, customer_id: UUID) -> str:
    found = await call.context.database.read(partial(customers.customer, customer_id=customer_id))
    numbers = [each["address"] for each in found["identities"] if each["kind"] == "phone"] if found else []
    if not numbers:
        raise Refused("no_number", "No telephone number of this client is known")
    return str(numbers[0])


async def _only_line(call: Call, silent: set[UUID]) -> UUID:
    sql = "SELECT id FROM channels WHERE kind = ? AND state = 'active'"
    rows = await call.context.database.read(lambda tx: tx.rows(sql, (TELEPHONY,)))
    lines = [id_ for (id_,) in rows if UUID(id_) not in silent]
    if len(lines) != 1:
        raise Refused(
            "which_line", "Say by channel_id from which line to call" if lines else "There is no line to call"
        )
    return UUID(lines[0])
