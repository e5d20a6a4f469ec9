"""Why a mail was not delivered, PURE: what the server says first, then its codes (RFC 3463, 3.2 to 3.8)."""

from __future__ import annotations

import re

from shared.channels.email.bounce_words import WORDS

REASONS = {
    "user_unknown": "there is no such mailbox",
    "host_unknown": "there is no such domain",
    "moved": "the address has moved",
    "not_accepting": "that domain takes no mail",
    "mailbox_full": "the mailbox is full",
    "suspended": "the mailbox is switched off",
    "filtered": "the recipient's filter refused it",
    "limit": "larger than the recipient takes",
    "too_large": "the mail is too large",
    "virus": "taken for a virus",
    "spam": "taken for spam",
    "reputation": "our server has a bad reputation there",
    "blocked": "our server is blocked there",
    "reverse_dns": "our server has no proper name in the DNS",
    "authentication": "our mail failed SPF, DKIM or DMARC",
    "no_relaying": "that server does not take mail for the address",
    "policy": "against that server's policy",
    "security": "refused for security reasons",
    "rejected": "the sender was refused",
    "too_many_connections": "too many connections or recipients",
    "speeding": "sent too fast",
    "not_compliant": "the mail breaks a standard",
    "content": "the content was refused",
    "syntax": "the servers misunderstood each other",
    "network": "the way to that server is broken",
    "expired": "tried for too long without success",
    "system": "that server has a fault",
    "system_full": "that server is full",
    "mailer": "a program on that server failed",
    "undefined": "",
}
"""Every reason there is, and how it is told to an operator."""
HARD = frozenset({"user_unknown", "host_unknown", "moved", "not_accepting"})
"""Reasons that hold for every later mail to that address."""
MAX_TEXT = 8_000

_PATTERNS = tuple((reason, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for reason, pattern in WORDS)
_LINK = re.compile(r"https?://(?!support\.google|groups\.google)\S{0,300}")
_AT_MAIL_FROM = re.compile(r"(in reply to|after) mail from", re.IGNORECASE)
_AT_HELO = re.compile(r"my name was rejected|in reply to (ehlo|helo|mail greeting)|greeting failed", re.IGNORECASE)
_DISABLED = re.compile(r"\baccount is (disabled|suspended|deactivated|blocked)", re.IGNORECASE)
"""Said beside `user unknown` it is the truer word: the address may work again."""
_AT_DATA = re.compile(r"in reply to end of data|end of data|smtp command\s+data|>>> data\s+<<< 5", re.IGNORECASE)
_QUOTED = re.compile(r"\b[45]\d\d-'(?:([45]\.\d{1,3}\.\d{1,3}) )?([^']{3,500})'")
"""The answer of the server, within what the one that asked makes of it."""
_NO_ACCOUNT = re.compile(r"(does ?n.t|does not) (have an?\b.{0,60}account|exist)|invalid recipient", re.IGNORECASE)
_WEAK = (
    ("rejected", re.compile(r"(^|[\d .])rejected\W*$|access denied", re.IGNORECASE)),
    ("system", re.compile(r"service (currently )?unavailable", re.IGNORECASE)),
)
"""Words that say less than any code."""
_STATUSES = {
    "user_unknown": "1.1 1.0 1.3 1.4",
    "host_unknown": "1.2 4.4",
    "moved": "1.6",
    "rejected": "1.7 1.8",
    "syntax": "1.9 5.2",
    "not_accepting": "1.10 3.2 7.27",
    "filtered": "2.0 2.4 1.351",
    "suspended": "2.1",
    "mailbox_full": "2.2",
    "limit": "2.3",
    "system": "3.0 3.5 4.3 5.4",
    "system_full": "3.1",
    "too_large": "3.4",
    "network": "4.0 4.2 4.6",
    "expired": "4.1 4.7",
    "mailer": "4.5 5.0",
    "content": "6.0 6.9 6.1",
    "security": "7.0 7.1 7.8",
    "policy": "7.9",
    "reverse_dns": "7.25",
    "authentication": "7.26 7.509 7.23 7.24",
    "blocked": "7.606",
}
_BY_STATUS = {detail: reason for reason, details in _STATUSES.items() for detail in details.split()}
_OF_SENDER = {"1.7", "1.8"}
_CERTAIN = {
    "1.1",
    "1.2",
    "1.6",
    "1.10",
    "2.2",
    "3.4",
    "7.25",
    "7.26",
    "7.27",
    "7.509",
    "7.606",
    "4.7",
    "4.6",
    "2.3",
    "7.9",
}


def of(said: str, explained: str, status: str, smtp: str) -> str:
    """Return a word of REASONS, `undefined` when nobody can tell. `said`: the server's words, `status`: X.Y.Z."""
    if quoted := _QUOTED.search(said):
        said, explained, status = quoted[2], quoted[2], quoted[1] or status
    detail = status[2:]
    if detail in _OF_SENDER:
        return "rejected"
    said = said[:MAX_TEXT]
    return (
        _by_words(said, explained, detail)
        or _BY_STATUS.get(detail if detail in _CERTAIN else "")
        or _by_words(explained[:MAX_TEXT], explained, detail)
        or _BY_STATUS.get(detail)
        or next((reason for reason, pattern in _WEAK if pattern.search(said or explained)), "")
        or {"552": "mailbox_full", "421": "expired"}.get(smtp, "undefined")
    )


def _by_words(text: str, explained: str, detail: str) -> str:
    text = _LINK.sub("", text)
    found = next((reason for reason, pattern in _PATTERNS if text and pattern.search(text)), "")
    if found in ("user_unknown", "host_unknown") and detail != "1.1":
        if _AT_MAIL_FROM.search(explained):
            return "rejected"
        if _AT_HELO.search(explained):
            return "blocked"
        if _DISABLED.search(explained):
            return "suspended"
    if found == "user_unknown" and _is_late(text, explained, detail):
        return "filtered"
    return found


def _is_late(text: str, explained: str, detail: str) -> bool:
    """A server that does not know an address says so at RCPT TO; at DATA it is a filter, unless it is quite certain."""
    return detail != "1.1" and _AT_DATA.search(explained) is not None and not _NO_ACCOUNT.search(text)
