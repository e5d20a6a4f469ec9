"""The webhook of telephony: nothing is believed or stored before the provider's signature fits the raw bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from shared.channels.telephony.providers import PROVIDERS
from shared.channels.telephony.webhook import Webhook as Received
from shared.clock import now
from shared.connector import BadInput, Channel, Inlet, RawItem, Webhook

PATH = "/in/telephony/{channel}"
METHODS = ("POST",)
BODY_BYTES = 256 * 1024


class CallWebhooks:
    """Answers the webhooks of all telephony channels. `clock` gives the time."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock

    async def __call__(self, request: Request, channel: Channel, inlet: Inlet) -> Response:
        webhook = Received(request.headers, await _body(request), self._clock())
        provider = channel.settings["provider"]
        id_ = PROVIDERS[provider].admit(webhook, channel.settings)
        item = RawItem(webhook.body, "application/json", webhook.at, id_, {"provider": provider})
        inbound_id = await inlet.accept(item)
        return Response(b'{"ok":true,"id":"%s"}' % str(inbound_id).encode(), media_type="application/json")


handle: Webhook = CallWebhooks()


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        if (size := size + len(chunk)) > BODY_BYTES:
            raise BadInput(413, "Too large", f"A webhook is limited to {BODY_BYTES} bytes.")
    return b"".join(chunks)
