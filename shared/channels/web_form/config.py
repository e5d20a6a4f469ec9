"""What a web form channel can be set to. Empty `allowed_origins` keeps browsers on other sites out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from shared.connector import Capabilities, Field

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
        "thanks_url",
        "pages a browser may be sent to after a post (the form's _next chooses, otherwise the first), separated by "
        "spaces; empty: the answer is JSON",
        default="",
    ),
)


def words(setting: str) -> tuple[str, ...]:
    """Return the parts of a setting that is a list."""
    return tuple(setting.replace(",", " ").split())


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings."""
    wrong = [_origin_problem(origin) for origin in words(settings["allowed_origins"]) if not _is_origin(origin)]
    if settings["reply_channel"] and not _is_id(settings["reply_channel"]):
        wrong.append("reply_channel must be the id of an e-mail channel: see `okno channels list`")
    if not (settings["rate_limit"].isascii() and settings["rate_limit"].isdigit()):
        wrong.append("rate_limit must be a whole number of posts a minute, 0 for no limit")
    wrong += [
        f"thanks_url: {url} is not an http(s) address" for url in settings["thanks_url"].split() if not _is_url(url)
    ]
    return wrong


def public_path(channel_id: UUID) -> str:
    """Return the path a form posts to."""
    return f"/in/forms/{channel_id}"


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
