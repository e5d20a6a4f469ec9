"""Automatic answers of ours to mails: at most one per sender and day, and only to what a person wrote to this mailbox.

Rules of RFC 3834, section 2: never to automatic mails, lists, bounces or those who cannot be answered, and only when
the mailbox is named among the recipients. How such a mail looks is the channel's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson

from shared.clock import from_text
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.domain.identity import mailbox_of
from shared.event_store.mapper import About
from shared.event_store.routing import auto_replied_at
from shared.event_store.session import Session

SETTING = "auto_reply"
ONCE_IN = timedelta(days=1)
_NOBODY = re.compile(r"(no|do-?not)[-_.]?reply|mailer-daemon|postmaster|owner-.*|.*-(owner|request|bounces)|bounces?")
"""Local parts that no person reads (RFC 3834, section 2; RFC 2142, section 6)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a mailbox answers by itself."""

    text: str
    address: str


@dataclass(slots=True)
class AutoReplies:
    """One batch of messages. Not frozen: the rules are read when the first mail asks for them."""

    session: Session
    tx: Transaction
    at: datetime
    """Our own clock: a mail's Date says what its sender likes."""
    rules: Mapping[UUID, Rule] | None = None

    def follow(self, message: e.MessageReceived, decided: Sequence[e.ConversationEvent], about: About) -> None:
        """Ask for an automatic reply to a message that was just recorded, where a rule says so."""
        to = message.reply_to or message.sender
        if not decided or to.kind != "email" or (rule := self._rule(message.channel_id)) is None:
            return
        came = any(isinstance(event, e.MessageReceived) for event in decided)
        if not (came and is_from_a_person(message)) or self.at - about.occurred_at > ONCE_IN:
            return  # what lay in a mailbox for days, when it was connected, is no occasion
        if not _is_named(rule, message) or self._had_one(mailbox_of(to.address)):
            return
        reply_id = uuid5(message.message_id, "automatic reply")
        command = c.RequestReply(reply_id, rule.text, automatic=True)
        try:
            self.session.decide(message.conversation_id, command, About(self.at, e.Actor("system"), about.cause))
        except Refused:  # who cannot be answered gets no answer
            return

    def _rule(self, channel_id: UUID) -> Rule | None:
        if self.rules is None:
            self.rules = _rules(self.tx)
        return self.rules.get(channel_id)

    def _had_one(self, address: str) -> bool:
        last = self.session.entries.auto_replies.get(address) or auto_replied_at(self.tx, address)
        return last is not None and self.at - from_text(last) < ONCE_IN


def is_from_a_person(message: e.MessageReceived) -> bool:
    """Whether an automatic answer would reach somebody who has written a mail."""
    to = message.reply_to or message.sender
    ordinary = message.kind == "text" and message.direction == "inbound" and message.nature == "ordinary"
    return ordinary and to.kind == "email" and not any(map(_is_nobodys, (to.address, message.sender.address)))


def _is_nobodys(address: str) -> bool:
    return _NOBODY.fullmatch(address.rpartition("@")[0].lower()) is not None


def _is_named(rule: Rule, message: e.MessageReceived) -> bool:
    return rule.address in (recipient.lower() for recipient in message.recipients)


def _rules(tx: Transaction) -> dict[UUID, Rule]:
    rows = tx.rows("SELECT id, settings FROM channels WHERE kind = 'email' AND state = 'active'")
    settings: list[tuple[str, dict[str, Any]]] = [(id_, orjson.loads(text)) for id_, text in rows]
    return {
        UUID(id_): Rule(each[SETTING].replace("\\n", "\n"), each["address"].lower())
        for id_, each in settings
        if each.get(SETTING, "").strip()
    }
