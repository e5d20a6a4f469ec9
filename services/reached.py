"""Where people and providers reach this Okno, for links that commands print."""

from __future__ import annotations

from typing import Literal

from services.house import House
from shared.registry.listening import Listening, url_of

PORTS = {"up": 8000, "inbox-api": 8000, "ingest": 8001, "projector": 8002, "outbound": 8003}
"""Where each command listens unless told otherwise."""


async def reached(house: House, service: Literal["inbox-api", "ingest"]) -> str:
    """Return OKNO_PUBLIC_URL, else where the service listened last, else where it listens unless told otherwise."""
    if house.settings.public_url:
        return house.settings.public_url
    port = PORTS["up"] if house.settings.embedded else PORTS[service]
    return await Listening(house.database).of(service) or url_of("127.0.0.1", port)
