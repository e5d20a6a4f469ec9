"""PURE: a kept post -> what the client said. The body is read by the same `body.read` that admitted it."""

from __future__ import annotations

import re

from shared.channels.web_form import consent
from shared.channels.web_form.body import Submission, read
from shared.channels.web_form.names import Role, role_of
from shared.channels.web_form.once import PAGE_KEY, same_as, same_later
from shared.channels.web_form.platforms import platform_of
from shared.channels.web_form.site import Site, site_of
from shared.channels.web_form.spam import ELAPSED, SHOWN_AT, is_spam
from shared.connector import BadInput, Channel
from shared.contracts.inbound import Address
from shared.domain import identity
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import typed

NO_EMAIL = "The form gave no e-mail address to answer to."
ONLY_PHONE = "The form gave a phone number only: call {phone}."
NO_CHANNEL = "No mailbox is set for answers to this form: set reply_channel of the channel."
CLAIMED = ("claimed_sender",)
"""Anybody can type any address: what is known of it is shown to operators, never to the sender."""
OWN_MACHINERY = frozenset({ELAPSED, SHOWN_AT, PAGE_KEY})
"""What the script and the hosted page add for this server: it stays in the raw bytes."""
MOST_COMPARED = 10
MOST_AROUND = 500
"""Characters of a field in which an address is looked for."""

_EMAIL = re.compile(r"[^@\s<>\",;:()\[\]\\]{1,64}@[^@\s<>\"',;:()\[\]\\.]+(?:\.[^@\s<>\"',;:()\[\]\\.]+)+")
_BETWEEN = re.compile(r"[\s,;<>()\"]+")
Said = dict[Role, list[str]]


def parse(item: RawItem, channel: Channel) -> Parsed:
    """Return the submission as a message of kind form. Raises UnreadableItem."""
    try:
        submission = consent.as_typed(read(item.data, item.context.get("content_type", item.media_type)))
    except BadInput as error:
        raise UnreadableItem(str(error)) from error
    site = site_of(channel)
    said = _by_role(submission, site)
    email, phone, name = _first_email(said), _first_phone(said, site.country), _name(said)
    addresses = [Address(kind, found, name) for kind, found in (("email", email), ("phone", phone)) if found]
    spam = is_spam(submission.fields, site.honeypots, site.least_seconds, item.received_at)
    return Parsed(
        external_id=item.key,
        same_as=same_as(item.key),
        same_later=same_later(item.key),
        sender=addresses[0] if addresses else Address("web_form", item.key, name),
        occurred_at=item.received_at,
        kind="form",
        subject=" ".join(_first(said, "subject").split()),
        text=_text(said.get("message", [])) or _as_lines(submission, site),
        reply_to=addresses[0] if email and site.reply_channel else None,
        reply_channel=site.reply_channel if email else None,
        cannot_reply=_why_no_reply(email, phone, site),
        fields=_fields(submission, site, item) if "consent" in said or "service" in said else submission.fields,
        files=submission.files,
        identities=tuple(addresses[1:]),
        nature="spam" if spam else "ordinary",
        warnings=CLAIMED if addresses else (),
    )


def says_something(submission: Submission) -> bool:
    """Return whether the post has anything of a client: a file, or a field neither blank nor for the machinery."""
    for name, value in submission.fields:
        if value and role_of(name) != "service" and not value.isspace():
            return True
    return bool(submission.files)


def email_address(text: str) -> str:
    """Return the address in its one form, empty if it is none."""
    text = identity.email(text)
    return text if len(text) <= 254 and _EMAIL.fullmatch(text) else ""


def _by_role(submission: Submission, site: Site) -> Said:
    said: Said = {}
    find = site.role_of if site.field_map else role_of
    for name, value in submission.fields:
        if text := value.strip():
            said.setdefault(find(name), []).append(text)
    return said


def _first(said: Said, role: Role) -> str:
    found = said.get(role)
    return found[0] if found else ""


def _first_email(said: Said) -> str:
    """Return the first address typed, alone or among other words of its line: `Anna <a@b.ru>`, `a@b.ru, c@d.ru`."""
    for text in said.get("email", ()):
        if email := email_address(text) or _among_others(text):
            return email
    return ""


def _among_others(text: str) -> str:
    if len(text) > MOST_AROUND or "\n" in text or "\r" in text:
        return ""
    return next(filter(None, map(email_address, _BETWEEN.split(text.removeprefix("mailto:")))), "")


def _first_phone(said: Said, country: str) -> str:
    for text in said.get("phone", ()):
        if len(text) < 40 and (number := typed(text, country)):
            return number
    return ""


def _name(said: Said) -> str:
    whole = _first(said, "name") or f"{_first(said, 'first_name')} {_first(said, 'last_name')}"
    return " ".join(whole.split())[:200]


def _text(messages: list[str]) -> str:
    """Return what was said; services tell it several times, also cut off (Netlify): the longest stands for those."""
    if len(messages) == 1:
        return messages[0]
    distinct = list(dict.fromkeys(messages))
    if len(distinct) <= MOST_COMPARED:
        distinct = [m for m in distinct if not any(m in other and m != other for other in distinct)]
    return "\n\n".join(distinct)


def _as_lines(submission: Submission, site: Site) -> str:
    """Return the fields a client filled in, for a form that has no message."""
    machinery = platform_of(submission).machinery
    shown = [(n, v.strip()) for n, v in submission.fields if v.strip() and n not in machinery]
    return "\n".join(f"{name}: {value}" for name, value in shown if site.role_of(name) not in ("service", "consent"))


def _fields(submission: Submission, site: Site, item: RawItem) -> tuple[tuple[str, str], ...]:
    """Return every field in order but those of our own machinery, then a record of each consent."""
    agreed = [(n, v) for n, v in submission.fields if site.role_of(n) == "consent" and consent.given(v)]
    when = consent.circumstances(submission, item.received_at, item.context) if agreed else ()
    labels = site.form if site.settings.get("fields", "").strip() else ()  # nobody was shown a form that is not in use
    records = [consent.record(name, value, labels, when) for name, value in agreed]
    kept = [pair for pair in submission.fields if not _is_own_machinery(*pair, site)]
    return (*kept, *((consent.FIELD, record) for record in dict.fromkeys(records)))


def _is_own_machinery(name: str, value: str, site: Site) -> bool:
    ours = (name == "_gotcha" and not value) or (name == "_next" and value.startswith(site.page))
    return ours or name in OWN_MACHINERY


def _why_no_reply(email: str, phone: str, site: Site) -> str:
    if not email:
        return ONLY_PHONE.format(phone=phone) if phone else NO_EMAIL
    return "" if site.reply_channel else NO_CHANNEL
