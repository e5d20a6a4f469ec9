"""PURE: a kept post -> what the client said. The body is read by the same `body.read` that admitted it."""

from __future__ import annotations

import re
from functools import lru_cache
from uuid import UUID

import phonenumbers

from shared.channels.web_form.body import Submission, read
from shared.channels.web_form.names import Role, role_of
from shared.connector import BadInput, Channel, Parsed, RawItem, UnreadableItem
from shared.contracts.inbound import Address

REGION = "RU"
"""The country of a phone number typed without one."""
NO_EMAIL = "The form gave no e-mail address to answer to."
ONLY_PHONE = "The form gave a phone number only: call {phone}."
NO_CHANNEL = "No mailbox is set for answers to this form: set reply_channel of the channel."

_EMAIL = re.compile(r"[^@\s<>\"',;:()\[\]\\]{1,64}@[^@\s<>\"',;:()\[\]\\.]+(?:\.[^@\s<>\"',;:()\[\]\\.]+)+")
_RUSSIAN_MOBILE = re.compile(r"(?:\+?7|8)(9\d{9})")


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return the submission as a message of kind form. Raises UnreadableItem."""
    try:
        submission = read(item.data, item.context.get("content_type", item.media_type))
    except BadInput as error:
        raise UnreadableItem(str(error)) from error
    said = _by_role(submission)
    email, phone, name = _first_email(said), _first_phone(said), _name(said)
    addresses = [Address(kind, found, name) for kind, found in (("email", email), ("phone", phone)) if found]
    reply_channel = _channel_id(channel.settings.get("reply_channel", ""))
    return Parsed(
        external_id=item.key,
        sender=addresses[0] if addresses else Address("web_form", item.key, name),
        occurred_at=item.received_at,
        kind="form",
        subject=" ".join(_first(said, "subject").split()),
        text="\n\n".join(said.get("message", ())) or _as_lines(submission),
        reply_to=Address("email", email, name) if email and reply_channel else None,
        reply_channel=reply_channel if email else None,
        cannot_reply=_why_no_reply(email, phone, reply_channel),
        fields=submission.fields,
        files=submission.files,
        identities=tuple(addresses[1:]),
    )


def says_something(submission: Submission) -> bool:
    """Return whether the post has anything of a client: a file, or a field neither blank nor for the machinery."""
    return bool(submission.files) or any(
        value.strip() and role_of(name) != "service" for name, value in submission.fields
    )


def email_address(text: str) -> str:
    """Return the address in lower case, empty if it is none."""
    text = text.strip().lower()
    return text if len(text) <= 254 and _EMAIL.fullmatch(text) else ""


@lru_cache(maxsize=4096)
def phone_number(text: str) -> str:
    """Return the number in E.164, empty if it is none."""
    digits = re.sub(r"[\s()\-.\u00a0\u2010-\u2015]", "", text)
    if mobile := _RUSSIAN_MOBILE.fullmatch(digits):  # the usual case, without the 40 µs of phonenumbers
        return f"+7{mobile[1]}"
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        return ""
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else ""


def _by_role(submission: Submission) -> dict[Role, list[str]]:
    said: dict[Role, list[str]] = {}
    for name, value in submission.fields:
        if text := value.strip():
            said.setdefault(role_of(name), []).append(text)
    return said


def _first(said: dict[Role, list[str]], role: Role) -> str:
    return said.get(role, [""])[0]


def _first_email(said: dict[Role, list[str]]) -> str:
    return next(filter(None, map(email_address, said.get("email", ()))), "")


def _first_phone(said: dict[Role, list[str]]) -> str:
    return next((number for text in said.get("phone", ()) if len(text) < 40 and (number := phone_number(text))), "")


def _name(said: dict[Role, list[str]]) -> str:
    whole = _first(said, "name") or f"{_first(said, 'first_name')} {_first(said, 'last_name')}"
    return " ".join(whole.split())[:200]


def _as_lines(submission: Submission) -> str:
    shown = [(n, v.strip()) for n, v in submission.fields if v.strip() and role_of(n) != "service"]
    return "\n".join(f"{name}: {value}" for name, value in shown)


def _why_no_reply(email: str, phone: str, reply_channel: UUID | None) -> str:
    if not email:
        return ONLY_PHONE.format(phone=phone) if phone else NO_EMAIL
    return "" if reply_channel else NO_CHANNEL


@lru_cache(maxsize=1024)
def _channel_id(text: str) -> UUID | None:
    return UUID(text) if text else None
