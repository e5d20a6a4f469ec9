"""Past calls from the provider's own history, as its webhooks would have told them: what was lost comes after all."""

from __future__ import annotations

from datetime import datetime

from shared.channels.telephony.api import ForeignAddress, NoAnswer, NotReached, TooLarge, open_api
from shared.channels.telephony.apis import APIS
from shared.channels.telephony.provider_api import HistoryRefused, Told
from shared.channels.telephony.webhook import content_key
from shared.clock import now
from shared.connector import Channel, FetchDelayed
from shared.parsed import RawItem
from shared.said import said

_NO_API = "this telephony has no history that could be asked"
_NO_KEY = "UIS gives its history only with access_token: set it by `okno channels change`"


def why_none(channel: Channel) -> str:
    """Return why a channel has no history, empty if it has one."""
    if channel.settings["provider"] not in APIS:
        return _NO_API
    return _NO_KEY if channel.settings["provider"] == "uis" and not channel.settings["access_token"] else ""


async def history(channel: Channel, since: datetime, until: datetime) -> list[RawItem]:
    """Return the calls that began between two moments; none where the provider has no history.

    The same call gives the same item each time. Raises FetchDelayed when the provider does not give its history.
    """
    if why_none(channel):
        return []
    name = channel.settings["provider"]
    api = APIS[name]
    try:
        async with open_api(channel, api.base, api.hosts) as opened:
            told = await api.history(opened, channel, since, until)
    except (HistoryRefused, ForeignAddress, NotReached, NoAnswer, TooLarge) as error:
        raise FetchDelayed(said(error)) from error
    at = now()
    return [_item(name, one, at) for one in told]


def _item(provider: str, told: Told, at: datetime) -> RawItem:
    key = content_key("history", *sorted(told.context.values()), told.body)
    return RawItem(told.body, told.media_type, at, key, {"provider": provider, **told.context})
