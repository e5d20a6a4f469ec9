"""PURE: what a client agreed to, recorded as a field: the text shown, when, from which address, on which page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from shared.channels.web_form.body import Submission
from shared.channels.web_form.definition import FormField
from shared.clock import to_text

FIELD = "consent_record"
TYPED = "consent_record (typed)"
PAGE, SENT_AT = "_page", "_sent_at"
"""What the script tells: the page the form stands on, and when its visitor pressed the button."""
_NO = frozenset({"", "0", "false", "no", "off", "n", "нет", "не согласен", "не согласна"})
_YES = frozenset({"1", "true", "yes", "on", "y", "да", "ok", "checked", "agree", "agreed", "accept", "accepted"})


def given(value: str) -> bool:
    """Return whether a box's value means yes; a box that was not ticked is not posted at all."""
    return value.strip().casefold() not in _NO


def record(name: str, value: str, form: tuple[FormField, ...], circumstances: tuple[str, ...]) -> str:
    """Return what is kept of one ticked box.

    The value of a box of ours is the text shown; of others' the label in `form`, which the channel's owner has written,
    else the field's name.
    """
    text = value.strip() if value.strip().casefold() not in _YES else _label(name, form)
    return " · ".join((text, *circumstances))


def as_typed(submission: Submission) -> Submission:
    """A field of this name that was posted is no record of ours: anybody could give consent for anybody."""
    if all(name != FIELD for name, _ in submission.fields):
        return submission
    fields = tuple((TYPED if name == FIELD else name, value) for name, value in submission.fields)
    return replace(submission, fields=fields)


def circumstances(submission: Submission, at: datetime, context: Mapping[str, str]) -> tuple[str, ...]:
    """Return when, from which address and on which page; `at`: when the post came, `context`: of the RawItem.

    A form of ours also tells its page, and when it was sent if that was long before it could be delivered.
    """
    told = dict(submission.fields)
    parts = [to_text(at), context.get("remote", ""), told.get(PAGE, "")[:500] or context.get("page", "")]
    if told.get(SENT_AT):
        parts.append(f"sent {told[SENT_AT][:40]} by the visitor's clock")
    return tuple(filter(None, parts))


def _label(name: str, form: tuple[FormField, ...]) -> str:
    for field in form:
        if field.name == name and field.type == "consent":
            return " / ".join(dict.fromkeys(field.label.values()))
    return name
