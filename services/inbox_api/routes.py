"""Every address of the API with its words: the routes and the OpenAPI document are made from this one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from services.inbox_api import (
    answers,
    channels,
    conversations,
    customers,
    events,
    files,
    live,
    moving,
    operators,
    quarantine,
    shapes,
    steps,
    timelines,
    why,
)
from services.inbox_api.context import Context, Handler

PREFIX = "/api/v1"
PAGE = ("limit", "cursor")
AS_OF = ("as_of", "by")


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one path below PREFIX."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    handler: Handler
    body: type | None = None
    query: tuple[str, ...] = ()
    status: int = 200
    answers: type | None = None
    """The shape of the answer, where it is documented."""


@dataclass(frozen=True, slots=True)
class OpenAddress:
    """An address for those who are not signed in yet."""

    method: Literal["POST"]
    path: str
    summary: str
    handler: Callable[[Request, Context], Awaitable[Response]]
    body: type
    status: int


CONVERSATION = "/conversations/{id}"
MESSAGE = f"{CONVERSATION}/messages/{{message_id}}"

OPEN: tuple[OpenAddress, ...] = (
    OpenAddress("POST", "/setup", "Use a one-time link: name and password", operators.set_up, operators.SetUp, 201),
    OpenAddress("POST", "/session", "Sign in", operators.sign_in, operators.SignIn, 200),
)

SIGNED_IN: tuple[Address, ...] = (
    Address("GET", "/session", "Who is signed in", operators.current),
    Address("DELETE", "/session", "Sign out", operators.sign_out, status=204),
    Address("GET", "/operators", "All operators", operators.everybody),
    Address("GET", "/channels", "All channels with their health", channels.list_),
    Address(
        "GET", "/conversations", "Conversations, the one changed last first", conversations.list_,
        query=("status", "customer_id", *AS_OF, *PAGE),
    ),
    Address("GET", CONVERSATION, "One conversation", conversations.one, query=AS_OF),
    Address(
        "GET", f"{CONVERSATION}/messages", "Its messages", conversations.messages, query=(*AS_OF, "order", *PAGE),
        answers=shapes.Messages,
    ),
    Address(
        "POST", f"{CONVERSATION}/replies", "Answer the client's last message", answers.reply,
        answers.Reply, status=201, answers=shapes.Message,
    ),
    Address("GET", f"{CONVERSATION}/draft", "To whom a reply would go", answers.draft),
    Address(
        "POST", f"{MESSAGE}/edit", "Change a reply that was sent", answers.edit, answers.Edit, status=201,
        answers=shapes.Message,
    ),
    Address(
        "POST", f"{MESSAGE}/delete", "Delete a reply that was sent", answers.delete, answers.Delete, status=201,
        answers=shapes.Message,
    ),
    Address(
        "POST", f"{MESSAGE}/react", "React to a message", answers.react, answers.React, status=201,
        answers=shapes.Message,
    ),
    Address(
        "POST", f"{CONVERSATION}/call", "Ring the operator's telephone, then the client's", answers.ring, answers.Ring,
        status=201, answers=shapes.Message,
    ),
    Address("POST", "/files", "Keep a file for a reply", files.upload, query=("name",), status=201),
    Address(
        "POST", f"{CONVERSATION}/notes", "Write a note that never leaves", conversations.note,
        conversations.Text, status=201,
    ),
    Address(
        "POST", f"{CONVERSATION}/messages/{{message_id}}/retry", "Send a failed or uncertain reply again",
        conversations.retry,
    ),
    Address(
        "POST", f"{CONVERSATION}/messages/{{message_id}}/move", "Move a client's message to another conversation",
        moving.move, moving.MoveTo,
    ),
    Address("POST", f"{CONVERSATION}/assign", "Assign", conversations.assign, conversations.AssignTo),
    Address("POST", f"{CONVERSATION}/snooze", "Hide until a time", conversations.snooze, conversations.SnoozeUntil),
    Address("POST", f"{CONVERSATION}/close", "Close", conversations.close),
    Address("POST", f"{CONVERSATION}/reopen", "Open again", conversations.reopen),
    Address("POST", f"{CONVERSATION}/tags", "Add and remove tags", conversations.tag, conversations.Tags),
    Address("GET", "/customers", "Customers, the newest first", customers.list_, query=PAGE),
    Address("GET", "/customers/{id}", "One customer", customers.one, query=AS_OF),
    Address(
        "GET", "/customers/{id}/timeline", "A customer's whole history, now or as of a past moment",
        timelines.timeline, query=(*AS_OF, "kind", "channel", "author", "since", "until", "order", *PAGE),
        answers=shapes.Messages,
    ),
    Address(
        "GET", "/steps", "What is due, the one changed last first", steps.list_,
        query=("state", "customer_id", "operator_id", *PAGE),
    ),
    Address("POST", "/steps", "Plan a next step", steps.plan, steps.PlanStep, status=201),
    Address("POST", "/steps/{id}/done", "It is done", steps.done, steps.EndStep),
    Address("POST", "/steps/{id}/postpone", "Later", steps.postpone, steps.PostponeStep),
    Address("POST", "/steps/{id}/decline", "It will not be done", steps.decline, steps.EndStep),
    Address("GET", "/quarantine", "What could not be understood", quarantine.list_, query=PAGE),
    Address("POST", "/quarantine/{id}/retry", "Try to understand it again", quarantine.retry, status=202),
    Address("GET", "/events", "The log after a position", events.list_, query=("after", "limit")),
    Address(
        "GET", "/events/{position}/why", "Where an event came from and what it led to", why.why, answers=why.Why,
    ),
    Address("GET", "/stream", "Changes as server-sent events, resumable by Last-Event-ID", live.stream),
    Address("GET", "/attachments/{id}", "An attachment's bytes", files.get_attachment),
    Address("GET", "/raw/{position}", "An inbound item as the channel gave it", files.get_raw),
)  # fmt: skip
