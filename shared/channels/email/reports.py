"""Reports made for machines, PURE: delivery status (RFC 3464), complaints (RFC 5965), receipts (RFC 8098).

Fields of groups, as they stand; what a bounce means is decided in `bounce`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.channels.email import charset, mime, words

MAX_REPORT_BYTES = 64 * 1024
MAX_RETURNED_BYTES = 1024 * 1024
MAX_RECIPIENTS = 100

_DELIVERY = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/partial")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*)")
_ADDRESS_TYPE = re.compile(r"^\s*[\w-]{1,20}\s*;\s*")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")

Group = dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a report says of one recipient; `action` as in RFC 3464, 2.3.3."""

    recipient: str
    action: str
    status: str
    diagnostic: str


def leaves(part: mime.Part) -> Iterator[mime.Part]:
    """Yield the parts that have no parts, in order."""
    pending = [part]
    while pending:
        one = pending.pop()
        if one.parts:
            pending.extend(reversed(one.parts))
        else:
            yield one


def outcomes(tree: mime.Part) -> list[Outcome]:
    """Return what the delivery reports of a mail say of its recipients."""
    found = []
    for part in leaves(tree):
        if part.content_type in _DELIVERY:
            found += [outcome for group in groups(part) if (outcome := _outcome(group))]
    inner = None if found else _inner(tree)
    return outcomes(inner) if inner else found[:MAX_RECIPIENTS]


def wrapped(tree: mime.Part, text: str) -> list[Outcome]:
    """Return what a report says that a bounce carries along, as a mail of its own or as text that stands in it."""
    if (back := returned(tree)) and (found := outcomes(back)):
        return found
    groups_in_text = [group for group in fields_of(text) if "final-recipient" in group]
    return [each for group in groups_in_text[:MAX_RECIPIENTS] if (each := _outcome(group))]


def has_delivery_report(tree: mime.Part) -> bool:
    return any(part.content_type in _DELIVERY for part in leaves(tree))


def is_report(part: mime.Part) -> bool:
    """Tell whether a part holds the fields its type promises; some servers put their explanation there."""
    return any(name in group for group in groups(part) for name in ("reporting-mta", "final-recipient", "action"))


def feedback_type(tree: mime.Part) -> str:
    """Return the Feedback-Type of a complaint report, empty for any other mail."""
    for part in leaves(tree):
        if part.content_type == "message/feedback-report":
            return next((g["feedback-type"].lower() for g in groups(part) if "feedback-type" in g), "abuse")
    return ""


def disposition(tree: mime.Part) -> Group:
    """Return the fields of a receipt (Disposition, Original-Message-ID), empty for any other mail."""
    for part in leaves(tree):
        if part.content_type in ("message/disposition-notification", "message/global-disposition-notification"):
            return {name: value for group in groups(part) for name, value in group.items()}
    return {}


def returned(tree: mime.Part) -> mime.Part | None:
    """Return the header of the message a report speaks of, if it came back."""
    for part in leaves(tree):
        if part is not tree and part.content_type in _RETURNED:
            try:
                return mime.read(part.body()[:MAX_RETURNED_BYTES].lstrip(b"\r\n \t"))
            except mime.NoHeaders:
                continue
    return None


def has_returned(tree: mime.Part) -> bool:
    """Tell whether a mail carries another one, readable or not."""
    return any(part is not tree and part.content_type in _RETURNED for part in leaves(tree))


def groups(part: mime.Part) -> list[Group]:
    """Return the groups of fields of a report part; names in lower case, folded lines joined."""
    text = charset.clean(charset.decode(part.body()[:MAX_REPORT_BYTES], "utf-8"))
    return fields_of(text)


def fields_of(text: str) -> list[Group]:
    """Return the groups of fields in a text, empty lines between them."""
    found: list[Group] = [{}]
    last = ""
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if not line.strip():
            found.append({})
            last = ""
        elif line[0] in " \t" and last:
            found[-1][last] += " " + line.strip()
        elif field:
            last = field[1].lower()
            found[-1].setdefault(last, field[2].strip())
    return [group for group in found if group]


def _inner(tree: mime.Part) -> mime.Part | None:
    """Return a report that a filter on the way has wrapped into another mail: it has the same sender."""
    back = returned(tree)
    if back is None or back.header("from") != tree.header("from") or not has_delivery_report(back):
        return None
    return back


def _outcome(group: Group) -> Outcome | None:
    named = group.get("original-recipient") or group.get("final-recipient") or group.get("x-actual-recipient")
    final, original = address(group.get("final-recipient", "")), address(group.get("original-recipient", ""))
    if named is None and "action" not in group and "status" not in group:
        return None
    if "action" not in group and "status" not in group and "diagnostic-code" not in group:
        return None
    status = _STATUS.search(group.get("status", ""))
    diagnostic = _ADDRESS_TYPE.sub("", group.get("diagnostic-code", ""))
    action = group.get("action", "").split(" ")[0].strip("();,").lower()
    return Outcome(original if "@" in original else final, action, status[1] if status else "", diagnostic[:2_000])


def address(value: str) -> str:
    """Return the address of `rfc822; someone@example.com`."""
    bare = _ADDRESS_TYPE.sub("", value).strip()
    return words.one_address(bare.encode("utf-8", "replace"))[1] if bare else ""
