"""A made-up history for benchmarks: clients who write, are answered, and whose conversations are closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.projector import inbound
from services.projector.messages import conversation_id_for
from shared.contracts.inbound import Address, InboundMessage, Raw, inbound_id
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain.customer import customer_id_at
from shared.domain.events import Actor
from shared.domain.events import Address as DomainAddress
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.event_store.store import EventStore

CHANNEL = UUID("0b5e0f0e-0000-4000-8000-00000000c0de")
START = datetime(2026, 1, 1, tzinfo=UTC)
OPERATOR = Actor("operator", str(UUID(int=1)), "Анна")
MESSAGES_A_CLIENT = 5
AT_A_TIME = 500
"""Clients who are in the midst of something: what a desk has open."""
BATCH = 500


def message(number: int, clients: int) -> InboundMessage:
    """Return the n-th message: clients write in turn."""
    return written(number % clients, number)


def written(client: int, number: int, second: int | None = None) -> InboundMessage:
    """Return a message of a client: their first has their own number, every later one goes on with it.

    `second`: when it is written, from START; None: by its number.
    """
    text = f"Здравствуйте! Это сообщение {number} клиента {client}. Когда приедет заказ, и сколько стоит доставка? " * 2
    raw = f"name=Client+{client}&message={number}".encode() * 4
    at = START + timedelta(seconds=number if second is None else second)
    return InboundMessage(
        id=inbound_id(CHANNEL, str(number)),
        channel_id=CHANNEL,
        channel_kind="email",
        external_id=f"<{number}@example.com>",
        occurred_at=at,
        received_at=at,
        sender=Address("email", f"client{client}@example.com", f"Клиент {client}"),
        kind="text",
        direction="inbound",
        subject="Вопрос о заказе",
        text=text,
        full_text="",
        html="",
        recipients=("support@example.org",),
        reply_to=None,
        reply_channel=None,
        cannot_reply="",
        refers_to=(f"<{client}@example.com>",) if number != client else (),
        known_as=(f"<{number}@example.com>",),
        thread_key="",
        fields=(),
        call=None,
        files=(),
        identities=(),
        raw=Raw(hashlib.sha256(raw).hexdigest(), len(raw), "message/rfc822", raw),
    )


async def record_history(store: EventStore, events: int, at_a_time: int = AT_A_TIME) -> None:
    """Fill a store with about that many events: each client gives 2 + 5 messages + reply, sent, closed.

    So many clients write at a time, in turn; when they are answered, the next ones come.
    """
    clients, second = events // (MESSAGES_A_CLIENT + 5), 0
    for begin in range(0, clients, at_a_time):
        some = range(begin, min(begin + at_a_time, clients))
        numbers = [(client, clients * turn + client) for turn in range(MESSAGES_A_CLIENT) for client in some]
        messages = [written(*each, second) for second, each in enumerate(numbers, second)]
        second += len(numbers)
        for batch in _batches(messages):
            await store.record(lambda session, tx, batch=batch: inbound.receive(session, tx, batch))  # type: ignore[misc]
        conversations = [_conversation(message) for message in messages[: len(some)]]
        for part in _batches(conversations):
            await store.record(lambda session, tx, part=part, at=second: _answer(session, tx, part, at))  # type: ignore[misc]


def _conversation(first: InboundMessage) -> UUID:
    customer = customer_id_at(first.received_at, DomainAddress(first.sender.kind, first.sender.address))
    return conversation_id_for(customer, first.id)


def _answer(session: Session, tx: Transaction, conversations: Sequence[UUID], second: int) -> None:
    about = About(START + timedelta(seconds=second), OPERATOR)
    for conversation in conversations:
        reply = uuid5(conversation, "reply")
        session.decide(conversation, c.RequestReply(reply, "Добрый день! Доставка бесплатна."), about)
        sent = c.RecordDelivery(reply, CHANNEL, 1, "sent", 1, external_id=f"<{reply}@example.org>")
        session.decide(conversation, sent, about)
        session.decide(conversation, c.Close(), about)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
