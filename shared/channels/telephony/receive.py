"""The webhook of telephony: nothing is believed or stored before the provider's signature fits the raw bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from shared.channels.telephony.providers import PROVIDERS
from shared.channels.telephony.webhook import Answered
from shared.channels.telephony.webhook import Webhook as Received
from shared.clock import now
from shared.connector import BadInput, Channel, Inlet, Webhook
from shared.parsed import RawItem

PATH = ("/in/telephony/{channel}", "/in/telephony/{channel}/{event:path}")
METHODS = ("POST", "GET")
BODY_BYTES = 256 * 1024
_SAFE = {"X-Content-Type-Options": "nosniff"}


class CallWebhooks:
    """Answers the webhooks of all telephony channels; `clock` gives the time."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock

    async def __call__(self, request: Request, channel: Channel, inlet: Inlet) -> Response:
        name, settings = channel.settings["provider"], channel.settings
        provider = PROVIDERS[name]
        webhook = await self._received(request, settings["public_url"], inlet.public_url)
        if webhook.event and not provider.has_paths:
            raise BadInput(404, "No such address", "This provider posts to the channel's own address.")
        if webhook.method == "GET":
            return _greeted(provider.greet(webhook.query) if provider.greet else None)
        admitted = provider.admit(webhook, settings)
        if admitted is None:
            return Response(b'{"ok":true,"id":null}', media_type="application/json")
        item = RawItem(
            webhook.body, admitted.media_type, webhook.at, admitted.key, {"provider": name, **admitted.context}
        )
        inbound_id = await inlet.accept(item)
        answered = provider.answer(webhook, settings) if provider.answer else None
        answered = answered or Answered(b'{"ok":true,"id":"%s"}' % str(inbound_id).encode(), "application/json")
        return Response(answered.body, media_type=answered.media_type)

    async def _received(self, request: Request, of_channel: str, of_process: str) -> Received:
        return Received(
            request.headers,
            await _body(request),
            self._clock(),
            request.method,
            request.path_params.get("event", "").rstrip("/"),
            request.scope["query_string"].decode("latin-1"),
            _urls(request, of_channel, of_process),
        )


handle: Webhook = CallWebhooks()


def _greeted(answered: Answered | None) -> Response:
    if answered is None:
        raise BadInput(405, "Wrong method", "Webhooks are posted.", {"Allow": "POST"})
    return Response(answered.body, media_type=answered.media_type, headers=_SAFE)


def _urls(request: Request, of_channel: str, of_process: str) -> tuple[str, ...]:
    """Return the addresses that may have been signed: the channel's public one, else ours and the one asked for.

    Behind a proxy the host is known but not the scheme. To believe the host does no harm: only who has the secret can
    sign an address, whatever its host.
    """
    path = request.scope.get("raw_path", request.scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = request.scope["query_string"].decode("latin-1")
    address, host = f"{path}?{query}" if query else path, request.headers.get("host", "")
    bases = (of_channel,) if of_channel else (of_process, f"https://{host}", f"http://{host}")
    return tuple(f"{base.rstrip('/')}{address}" for base in bases if base)


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        if (size := size + len(chunk)) > BODY_BYTES:
            raise BadInput(413, "Too large", f"A webhook is limited to {BODY_BYTES} bytes.")
    return b"".join(chunks)
