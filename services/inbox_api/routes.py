"""Every address of the API with its words: the routes and the OpenAPI document are made from this one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from services.inbox_api import (
    answers,
    cards,
    chain,
    channels,
    conversations,
    customers,
    erasure,
    events,
    exporting,
    files,
    heard,
    imports,
    live,
    merging,
    moving,
    operators,
    own_fields,
    quarantine,
    reports,
    search,
    shapes,
    signatures,
    steps,
    team,
    telephones,
    timelines,
    typing,
    webhooks,
    why,
)
from services.inbox_api.context import Context, Handler

PREFIX = "/api/v1"
PAGE = ("limit", "cursor")
AS_OF = ("as_of", "by")


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one path below PREFIX."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
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
    Address("GET", "/session/telephone", "Where this operator is rung", telephones.own),
    Address("POST", "/session/telephone", "Set it: a number or an extension", telephones.keep, telephones.Telephone),
    Address("GET", "/session/signature", "What this operator has below their mails", signatures.own),
    Address("POST", "/session/signature", "Set it; empty: none", signatures.keep, signatures.Signature),
    Address("GET", "/operators", "All operators, and who of them can come in", team.everybody, query=PAGE),
    Address("POST", "/operators", "Invite somebody by a one-time link (admins)", team.invite, team.Invite, status=201),
    Address("PATCH", "/operators/{id}", "Give an operator another role (admins)", team.change, team.ChangeRole),
    Address("POST", "/operators/{id}/link", "A new one-time link to set a password (admins)", team.link, status=201),
    Address("POST", "/operators/{id}/lock", "Let an operator in no more (admins)", team.lock),
    Address("GET", "/channels", "All channels with their health", channels.list_, query=PAGE),
    Address(
        "GET", "/conversations", "Conversations, the one changed last first", conversations.list_,
        query=("status", "customer_id", "assignee_id", *AS_OF, *PAGE),
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
    Address("POST", f"{CONVERSATION}/typing", "Show the client that somebody is writing", typing.tell, status=204),
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
    Address("POST", f"{CONVERSATION}/split", "Move messages to a new conversation", moving.split, moving.Split),
    Address("POST", f"{CONVERSATION}/merge", "Go on in another conversation", moving.merge, moving.MergeConversation),
    Address("POST", f"{CONVERSATION}/unmerge", "Go on by itself again", moving.unmerge),
    Address("GET", f"{CONVERSATION}/merged", "Conversations that go on in this one", moving.merged, query=PAGE),
    Address("POST", f"{CONVERSATION}/assign", "Assign", conversations.assign, conversations.AssignTo),
    Address("POST", f"{CONVERSATION}/snooze", "Hide until a time", conversations.snooze, conversations.SnoozeUntil),
    Address("POST", f"{CONVERSATION}/close", "Close", conversations.close),
    Address("POST", f"{CONVERSATION}/reopen", "Open again", conversations.reopen),
    Address("POST", f"{CONVERSATION}/tags", "Add and remove tags", conversations.tag, conversations.Tags),
    Address("GET", "/customers", "Customers, the newest first", customers.list_, query=("q", *PAGE)),
    Address(
        "POST", "/customers/import/preview", "How a CSV file (the body) would be read", imports.preview,
    ),
    Address(
        "POST", "/customers/import", "Import customers from CSV (the body), or say what that would do", imports.import_,
        query=("dry_run", "map", "country", "id", "name", "limit"),
    ),
    Address("GET", "/customers/export.csv", "All customers as CSV", exporting.export, query=("separator",)),
    Address("GET", "/imports", "Imports of customers, the newest first", imports.list_, query=PAGE),
    Address("POST", "/imports/{id}/undo", "Take an import back", imports.undo),
    Address("GET", "/customers/{id}", "One customer", customers.one, query=AS_OF, answers=shapes.Customer),
    Address(
        "GET", "/customers/{id}/timeline", "A customer's whole history, now or as of a past moment",
        timelines.timeline, query=(*AS_OF, "kind", "channel", "author", "since", "until", "order", *PAGE),
        answers=shapes.Messages,
    ),
    Address("GET", "/customers/{id}/card", "A customer's card", cards.one, query=AS_OF),
    Address("PATCH", "/customers/{id}/card", "Change fields of a card", cards.change, cards.CardChanges),
    Address(
        "GET", "/customers/{id}/card/history", "Who changed what on a card, the newest first", cards.history,
        query=("field", *PAGE),
    ),
    Address("POST", "/customers/{id}/erase", "Erase a customer for good", erasure.erase, erasure.Erase, status=202),
    Address("GET", "/erasures", "Erasures, the newest first", erasure.list_, query=PAGE),
    Address("GET", "/erasures/{id}", "One erasure with its certificate", erasure.one),
    Address("GET", "/holds", "What may not be erased", erasure.holds, query=PAGE),
    Address("POST", "/holds", "Hold a customer or a channel", erasure.hold, erasure.Hold, status=201),
    Address("POST", "/holds/{id}/release", "Release a hold", erasure.release, status=204),
    Address("GET", "/retention", "How long content is kept, by channel", erasure.rules, query=PAGE),
    Address("POST", "/retention/{id}", "Set or remove a channel's rule", erasure.set_rule, erasure.Rule),
    Address(
        "POST", "/customers/{id}/consents", "What a customer agreed to or withdrew", cards.consent, cards.ConsentSaid,
    ),
    Address("GET", "/customers/{id}/card.vcf", "A customer as vCard 4.0", cards.visiting_card),
    Address("GET", "/fields", "Own fields of cards", own_fields.list_, query=PAGE),
    Address("POST", "/fields", "Define an own field (admins)", own_fields.define, own_fields.NewField, status=201),
    Address("DELETE", "/fields/{id}", "Remove an own field (admins)", own_fields.remove, status=204),
    Address(
        "GET", "/steps", "What is due, the most urgent first, with counts", steps.list_,
        query=("state", "customer_id", "operator_id", "today_until", *PAGE),
    ),
    Address(
        "POST", "/customers/{id}/merge", "Show this customer as one with another", merging.merge, merging.MergeInto
    ),
    Address("POST", "/customers/{id}/unmerge", "Take a member out of a group", merging.unmerge, merging.Unmerge),
    Address(
        "GET", "/customers/{id}/suggestions", "Who else may be this customer, and why", merging.of_customer, query=PAGE,
    ),
    Address("GET", "/suggestions", "Customers who may be one", merging.list_, query=PAGE),
    Address("POST", "/suggestions/{id}/accept", "They are one: merge them", merging.accept, merging.Accept),
    Address("POST", "/suggestions/{id}/refuse", "They are two: never ask again", merging.refuse, status=204),
    Address("POST", "/steps", "Plan a next step", steps.plan, steps.PlanStep, status=201),
    Address("POST", "/steps/{id}/done", "It is done", steps.done, steps.EndStep),
    Address("POST", "/steps/{id}/postpone", "Later", steps.postpone, steps.PostponeStep),
    Address("POST", "/steps/{id}/decline", "It will not be done", steps.decline, steps.EndStep),
    Address("GET", "/quarantine", "What could not be understood", quarantine.list_, query=PAGE),
    Address("POST", "/quarantine/{id}/retry", "Try to understand it again", quarantine.retry, status=202),
    Address(
        "GET", "/events", "The log after a position", events.list_,
        query=("after", "type", "customer_id", "wait", *PAGE),
    ),
    Address("GET", "/webhooks", "Partners who are sent events", webhooks.list_, query=PAGE),
    Address("POST", "/webhooks", "Send events to a partner", webhooks.add, webhooks.AddWebhook, status=201),
    Address("DELETE", "/webhooks/{id}", "Send them no more", webhooks.remove, status=204),
    Address("POST", "/webhooks/{id}/pause", "Send nothing for now", webhooks.pause),
    Address("POST", "/webhooks/{id}/resume", "Go on where it stopped", webhooks.resume),
    Address("POST", "/webhooks/{id}/rewind", "Send all after a position again", webhooks.rewind, webhooks.Rewind),
    Address("GET", "/webhooks/{id}/deliveries", "What was tried, the last first", webhooks.deliveries, query=PAGE),
    Address("GET", "/search", "Everything said, the newest first", search.search_, query=(*search.QUERY, *PAGE)),
    Address("GET", "/reports/ledger", "What came, and what of it is missing", reports.ledger, query=("since", "until")),
    Address("GET", "/reports/chain", "The head of the log's hash chain, and when it was last verified", chain.state),
    Address("POST", "/reports/chain/verify", "Compare the log with its hash chain", chain.check),
    Address(
        "GET", "/events/{position}/why", "Where an event came from and what it led to", why.why, answers=why.Why,
    ),
    Address("GET", "/stream", "Changes as server-sent events, resumable by Last-Event-ID", live.stream),
    Address("GET", "/attachments/{id}", "An attachment's bytes, or a range of them", files.get_attachment),
    Address(
        "GET", "/recordings/heard", "Who has listened to which recording, for admins", heard.list_,
        query=("message_id", *PAGE),
    ),
    Address("GET", "/raw/{position}", "An inbound item as the channel gave it", files.get_raw),
)  # fmt: skip
