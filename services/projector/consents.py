"""What a client agreed to in a form, onto their card: the form's connector has recorded it as a field."""

from __future__ import annotations

import re
from datetime import datetime

from shared.database.protocol import Transaction
from shared.domain import card as cards
from shared.domain import events as e
from shared.domain.card_values import TEXT_LIMIT
from shared.event_store.cards import say_consent
from shared.event_store.mapper import About
from shared.event_store.session import Session

FIELD = "consent_record"
"""As `channels/web_form/consent` names it: TEXT · TIME · where and how, as far as it is known."""
_RECORD = re.compile(r"(?P<text>.*) · (?P<at>\d{4}-\d\d-\d\dT[\d:.]+Z)(?: · (?P<how>.*))?", re.DOTALL)


def keep(session: Session, tx: Transaction, message: e.MessageReceived, about: About) -> None:
    """Decide that the client gave their consent; nothing for a form without one."""
    if message.kind != "form":
        return
    if records := [value for name, value in message.fields if name == FIELD]:
        said = _said(message, records, about)
        say_consent(session, tx, message.customer_id, said, about)


def _said(message: e.MessageReceived, records: list[str], about: About) -> cards.Said:
    """Several boxes of one form are one consent of several texts."""
    found = [_RECORD.fullmatch(record) for record in records]
    texts = [each["text"] if each else record for each, record in zip(found, records, strict=True)]
    first = next(filter(None, found), None)
    at = datetime.fromisoformat(first["at"]) if first else about.occurred_at
    how = " · ".join(filter(None, ("form", first["how"] if first else "")))
    text = "\n".join(texts)[: cards.CONSENT_LIMIT]
    return cards.Said(message.channel_kind, "given", text, at, how[:TEXT_LIMIT], message.conversation_id)
