"""What a web form channel can be set to. Empty `allowed_origins` keeps browsers on other sites out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlsplit
from uuid import UUID

from phonenumbers import SUPPORTED_REGIONS

from shared.capabilities import Capabilities, Field
from shared.channels.web_form.definition import WrongDefinition, form_fields, form_title
from shared.channels.web_form.names import Role

CAPABILITIES = Capabilities(receives_by="webhook", sends=False, files=True)
FIELDS = (
    Field(
        "allowed_origins",
        "sites whose pages may post here, as https://example.com, separated by spaces or commas; * for any; "
        "empty: only pages of this server, and programs, which send no Origin",
        default="",
    ),
    Field("reply_channel", "the e-mail channel through which answers leave; empty: no answer possible", default=""),
    Field("rate_limit", "posts a minute from one address, more get 429; 0: no limit", default="60"),
    Field(
        "form_rate_limit",
        "posts a minute to the form from all addresses, more get 429; 0: no limit; empty: a hundred times rate_limit",
        default="",
    ),
    Field(
        "thanks_url",
        "pages a browser may be sent to after a post (the form's _next chooses, otherwise the first), separated by "
        "spaces; empty: the answer is JSON",
        default="",
    ),
    Field(
        "field_map",
        'what fields of your own names are for, as {"Ваши пожелания": "message"}: name, first_name, last_name, email, '
        "phone, subject, message, consent or service (nothing the client said)",
        default="",
    ),
    Field("country", "two letters: where a phone number typed without a country code belongs", default="RU"),
    Field("honeypot", "further fields that people do not see: filled in, the post is spam", default=""),
    Field("least_seconds", "a form sent sooner than this after it was shown is spam; 0: never", default="2"),
    Field(
        "fields",
        'the fields of the script\'s form and the hosted page, a JSON list of {"name", "label": {"ru", "en"}, "type", '
        '"required", "options"}; empty: name, email, phone, message, consent',
        default="",
    ),
    Field("title", 'the heading of the hosted page, a text or {"ru": ..., "en": ...}', default=""),
)
DEFAULTS: Mapping[str, str] = {field.name: field.default or "" for field in FIELDS}
ROLES = tuple(role for role in get_args(Role) if role)


def words(setting: str) -> tuple[str, ...]:
    """Return the parts of a setting that is a list."""
    return tuple(setting.replace(",", " ").split())


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings."""
    wrong = [_origin_problem(origin) for origin in words(settings["allowed_origins"]) if not _is_origin(origin)]
    if settings["reply_channel"] and not _is_id(settings["reply_channel"]):
        wrong.append("reply_channel must be the id of an e-mail channel: see `okno channels list`")
    wrong += [
        f"{name} must be a whole number of posts a minute, 0 for no limit"
        for name in ("rate_limit", "form_rate_limit")
        if not _is_count(settings[name] or ("0" if name == "form_rate_limit" else ""))
    ]
    if not (_is_count(settings["least_seconds"]) and int(settings["least_seconds"]) <= 60):
        wrong.append("least_seconds must be a whole number of seconds up to 60, 0 to take forms however soon")
    wrong += [
        f"thanks_url: {url} is not an http(s) address" for url in settings["thanks_url"].split() if not _is_url(url)
    ]
    if settings["country"] not in SUPPORTED_REGIONS:
        wrong.append("country must be two capital letters, as RU or DE")
    return [*wrong, *_map_problems(settings["field_map"]), *_form_problems(settings)]


def public_path(channel_id: UUID) -> str:
    """Return the path a form posts to."""
    return f"/in/forms/{channel_id}"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _map_problems(setting: str) -> list[str]:
    try:
        mapped = json.loads(setting or "{}")
    except (ValueError, RecursionError):
        mapped = None
    if not isinstance(mapped, dict):
        return ['field_map must be a JSON object, as {"Ваши пожелания": "message"}']
    wrong = [f"{name} cannot be {role!r}" for name, role in mapped.items() if role not in ROLES]
    return [f"field_map: {each}; there are {', '.join(ROLES)}" for each in wrong]


def _form_problems(settings: Mapping[str, str]) -> list[str]:
    try:
        form_fields(settings["fields"])
        form_title(settings["title"])
    except WrongDefinition as wrong:
        return [str(wrong)]
    return []


def _is_origin(origin: str) -> bool:
    return origin == "*" or (_is_url(origin) and origin.count("/") == 2)


def _origin_problem(origin: str) -> str:
    return f"allowed_origins: {origin} must look like https://example.com, without a path, or be *"


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
