"""Click to call: the provider rings the operator first and then the client. Nothing is written through a telephone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.channels.telephony.api import ForeignAddress, NoAnswer, NotReached, TooLarge, open_api
from shared.channels.telephony.apis import APIS
from shared.channels.telephony.provider_api import ProviderApi, Ring
from shared.channels.telephony.report import key_of
from shared.connector import (
    Channel,
    FileReader,
    SendDelayed,
    Sender,
    SendFateUnknown,
    SendRefused,
    Sent,
)
from shared.contracts.outbound import OutboundReply
from shared.said import said

_CLIENT = re.compile(r"\+[1-9][0-9]{6,14}")
_OPERATOR = re.compile(r"\+?[0-9]{2,15}(-[0-9]{1,6})?")


def sender(channel: Channel, read_file: FileReader) -> Sender:
    return Caller(channel)


@dataclass(frozen=True, slots=True)
class Caller:
    """Starts calls of one channel; it has no connection of its own to keep."""

    channel: Channel

    async def send(self, reply: OutboundReply) -> Sent:
        """Start the call; webhooks tell how it goes. Raises SendError."""
        ring, api = _ring(reply), _api(self.channel)
        try:
            async with open_api(self.channel, api.base, api.hosts) as opened:
                call_id = await api.ring(opened, self.channel, ring)
        except NotReached as error:
            raise SendDelayed(said(error)) from error
        except (NoAnswer, TooLarge) as error:
            raise SendFateUnknown(f"{error}. The telephone may be ringing.") from error
        except ForeignAddress as error:
            raise SendRefused(said(error)) from error
        return Sent(call_id, (key_of(self.channel.id, call_id),))

    async def close(self) -> None:
        """Nothing is kept open."""


def _api(channel: Channel) -> ProviderApi:
    api = APIS.get(channel.settings["provider"])
    if api is None:
        raise SendRefused("This telephony has no way to start a call: dial the number yourself.")
    return api


def _ring(reply: OutboundReply) -> Ring:
    if reply.action != "call":
        raise SendRefused("A telephone takes no written answer: call instead.")
    client = next((address.address for address in reply.to[:1] if address.kind == "phone"), "")
    if not _CLIENT.fullmatch(client):
        raise SendRefused("The client has no number that could be called.")
    operator = re.sub(r"[\s()]", "", reply.operator_address)
    if not _OPERATOR.fullmatch(operator):
        raise SendRefused("It is not known where you are reached: set your telephone or extension first.")
    return Ring(operator, client, f"{reply.id}.{reply.attempt}")
