"""Example replies."""

from __future__ import annotations

from uuid import UUID, uuid4

from shared.contracts.inbound import Address
from shared.contracts.outbound import OutboundReply
from tests.services.fakes import AT

CHANNEL = uuid4()


def reply(
    text: str = "hello", channel: UUID = CHANNEL, conversation: UUID | None = None, **other: object
) -> OutboundReply:
    values = {
        "id": uuid4(),
        "conversation_id": conversation or uuid4(),
        "channel_id": channel,
        "to": (Address("email", "client@example.com"),),
        "subject": "",
        "text": text,
        "author": "Olga",
        "requested_at": AT,
        "in_reply_to": "",
        "references": (),
        "thread_key": "",
        "quoted": None,
        "files": (),
    }
    return OutboundReply(**values | other)
