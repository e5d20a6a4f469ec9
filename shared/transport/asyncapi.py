"""The AsyncAPI document of the topics and what travels in them, written by FastStream from the contracts' types."""

from __future__ import annotations

from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification.asyncapi import AsyncAPI
from faststream.specification.base import Specification

from shared.contracts.delivery import DeliveryReport
from shared.contracts.inbound import InboundMessage, InboundUnreadable
from shared.contracts.outbound import OutboundReply
from shared.contracts.retry import RetryUnreadable
from shared.contracts.topics import DEAD_LETTERS, DELIVERY, EVENTS, INBOUND, OUTBOUND, RETRIES

TOPICS: dict[str, tuple[str, Any]] = {
    INBOUND: ("What channels gave us. Key: the client's address.", InboundMessage | InboundUnreadable),
    OUTBOUND: ("Replies to send. Key: the conversation.", OutboundReply),
    DELIVERY: ("What became of replies. Key: the conversation.", DeliveryReport),
    RETRIES: ("Unreadable items to read once more.", RetryUnreadable),
    EVENTS: ("Every stored event, for other systems. Key: the customer.", bytes),
    DEAD_LETTERS: ("Records that could not be decoded, as they were.", bytes),
}


def asyncapi(bootstrap: str = "localhost:9092") -> str:
    """Return the document as JSON. Headers are CloudEvents 1.0 in binary mode."""
    return _specification(bootstrap).to_json()


def _specification(bootstrap: str) -> Specification:
    broker = KafkaBroker(bootstrap.split(","), logger=None)
    for topic, (description, schema) in TOPICS.items():
        broker.publisher(topic, title=topic, description=description, schema=schema)
    about = "CloudEvents 1.0 in binary mode: attributes in ce_ headers, JSON as the value; ce_type names the contract."
    return AsyncAPI(broker, title="Okno", version="1", description=about).to_specification()
