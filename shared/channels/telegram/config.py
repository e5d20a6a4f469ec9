"""Settings of a bot. Only the token is needed; the webhook's secret is made from it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from shared.capabilities import Capabilities, Field

POLLING, WEBHOOK = "polling", "webhook"
PUBLIC_API = "https://api.telegram.org"

FIELDS = (
    Field("token", "the bot's token from @BotFather, as 123456:ABC...", secret=True, unique=True),
    Field(
        "mode", "how updates come: polling needs no public address, webhook does", POLLING, choices=(POLLING, WEBHOOK)
    ),
    Field("api_url", "your own Bot API server, without the limit of 20 MB a file; empty: Telegram's", ""),
    Field("username", "the bot's @name; found out when the channel is added", ""),
)
CAPABILITIES = Capabilities(
    receives_by="both", sends=True, threads=True, files=True, edits=True, reacts=True, markup=True, typing=True
)

_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
_USERNAME = re.compile(r"@?[A-Za-z0-9_]{0,64}")


def check(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with complete settings, in words for the person who set them."""
    wrong = []
    if not _TOKEN.fullmatch(settings["token"]):
        wrong.append("token must look like 123456789:AAE..., as @BotFather gave it")
    if settings["api_url"] and not _is_web_address(settings["api_url"]):
        wrong.append("api_url must be a web address, as http://127.0.0.1:8081")
    if not _USERNAME.fullmatch(settings["username"]):
        wrong.append("username must be the bot's name without spaces")
    return wrong


def public_path(channel_id: UUID) -> str:
    """Return the path Telegram posts updates to, in mode webhook."""
    return f"/in/telegram/{channel_id}"


def webhook_secret(token: str) -> str:
    """Return what Telegram sends in X-Telegram-Bot-Api-Secret-Token: 64 of its allowed characters."""
    return hmac.digest(token.encode(), b"okno telegram webhook", "sha256").hex()


def account(settings: Mapping[str, str]) -> str:
    """Each bot numbers chats and messages anew."""
    return str(bot_id(settings["token"]))


def bot_id(token: str) -> int:
    """Return the bot's own user id, which the token begins with; 0 for none."""
    digits = token.partition(":")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and parts.port != 0
    except ValueError:
        return False
