"""Notices of Amazon SES by mail, PURE: JSON that the mail may have broken into lines, so read field by field."""

from __future__ import annotations

import re

from shared.channels.email.reports import Outcome

MAX_TEXT = 64 * 1024

_KIND = re.compile(r'"notificationType"\s*:\s*"(Bounce|Delivery|Complaint)"')
_ADDRESS = re.compile(r'"emailAddress"\s*:\s*"([^"\s]{3,320})"')
_DELIVERED_TO = re.compile(r'"recipients"\s*:\s*\[\s*"([^"\s]{3,320})"')
_DIAGNOSTIC = re.compile(r'"diagnosticCode"\s*:\s*"(?:smtp;\s*)?([^"]{1,1000})"')
_STATUS = re.compile(r'"status"\s*:\s*"([245]\.\d{1,3}\.\d{1,3})"')
_PERMANENT = re.compile(r'"bounceType"\s*:\s*"Permanent"')
_ACTIONS = {"Bounce": "failed", "Delivery": "delivered", "Complaint": "complaint"}


def outcomes(text: str) -> list[Outcome]:
    """Return what a notice says, empty for any other text; the action of a complaint is `complaint`."""
    text = text[:MAX_TEXT]
    if "notificationType" not in text:
        return []
    text = text.replace('\\"', '"').replace("!\n ", "").replace("\n", "")
    kind = _KIND.search(text)
    if not kind:
        return []
    addresses = (_DELIVERED_TO if kind[1] == "Delivery" else _ADDRESS).findall(text)
    status, diagnostic = _STATUS.search(text), _DIAGNOSTIC.search(text)
    default = "5.0.0" if _PERMANENT.search(text) else ""
    return [
        Outcome(each.lower(), _ACTIONS[kind[1]], status[1] if status else default, diagnostic[1] if diagnostic else "")
        for each in dict.fromkeys(addresses)
    ]
