"""The four services as parts of a process; `okno up` runs all, `okno ingest` and its siblings one each."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.house import House
from services.inbox_api.main import InboxApi
from services.ingest.main import Ingest
from services.mending import LEAD as MENDING
from services.mending import Mending
from services.outbound.main import Outbound
from services.privacy.main import Privacy, stores_of
from services.projector.main import Projector
from services.projector.partners import LEAD, Partners
from services.serve import Part
from services.unheard import RelayAgain
from shared.read_models import holes, quarantine
from shared.transport.protocol import Transport


def ingest(house: House, transport: Transport) -> Part:
    service = Ingest(house.settings, house.database, transport, house.registry, house.blobs)

    async def run() -> None:
        await service.start()
        await service.run()

    async def ready() -> str | None:
        return service.ready()

    documents = [] if house.settings.embedded else [Route("/asyncapi.json", _asyncapi)]
    return Part("ingest", run, ready, [*service.routes, *documents], service.stop)


async def _asyncapi(_: Request) -> Response:
    """What travels in the topics, for those who read them from other systems."""
    from shared.transport.asyncapi import asyncapi

    return Response(asyncapi(), media_type="application/json")


def outbound(house: House, transport: Transport) -> Part:
    service = Outbound(house.settings, house.database, transport, house.registry, house.blobs)

    async def run() -> None:
        await service.start()
        await service.run()

    async def ready() -> str | None:
        return service.ready()

    return Part("outbound", run, ready, service.routes, service.stop)


def projector(house: House, transport: Transport) -> Part:
    settings = house.settings
    partners = Partners(house.database, house.store, house.subscriptions)
    privacy = Privacy(stores_of(house, transport))
    mending = Mending(house.database, transport.publisher())
    again = RelayAgain(house.database, house.store, transport.publisher())
    service = Projector(
        house.database,
        transport,
        house.store,
        embedded=settings.embedded,
        events_in_full=settings.events_in_full,
        leading={
            LEAD: partners.work,
            "privacy": privacy.work,
            MENDING: lambda: (*mending.work(), *again.work()),
        },
    )

    async def behind() -> float:
        return await service.behind()

    async def lag() -> float:
        return await service.lag()

    async def unreadable() -> float:
        return await house.database.read(holes.count)

    gauges = {
        "okno_read_models_behind_events": behind,
        "okno_transport_lag_records": lag,
        "okno_unreadable_events": unreadable,
    }
    return Part("projector", service.run, service.ready, gauges=gauges)


def inbox_api(house: House, transport: Transport) -> Part:
    public_url = house.settings.public_url
    service = InboxApi(house.database, house.store, house.blobs, house.subscriptions, public_url)

    async def waiting() -> float:
        return await house.database.read(quarantine.waiting_count)

    gauges = {"okno_quarantine_items": waiting}
    return Part("inbox_api", service.run, service.ready, service.routes, gauges=gauges, leave=service.context.views.end)


ALL = {"ingest": ingest, "projector": projector, "outbound": outbound, "inbox-api": inbox_api}
