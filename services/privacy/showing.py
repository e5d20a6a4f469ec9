"""Read models without what was destroyed: first they see all that was before, then they are built anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from services.privacy.stores import Stores
from services.projector.rebuild import Wanted, rebuild
from shared.database.protocol import Occupied
from shared.read_models import live
from shared.registry import erasures
from shared.registry.erasures import Erasure

BATCH = 500


async def show(stores: Stores, waiting: Sequence[Erasure]) -> None:
    """Build the read models from what can still be read, once they have seen all that was recorded before."""
    if any(each.details["counts"]["events"] for each in waiting):
        await catch_up(stores, max(int(each.details["position"]) for each in waiting))
        try:
            await rebuild(stores.database, Wanted(afresh=True))
        except Occupied:
            return  # somebody else's rebuild may show what was readable when it began: ours comes after it
    # It may wait for whoever reads: nobody should read the old rows then.
    await asyncio.to_thread(stores.keys.pages.wipe)
    for erasure in waiting:
        await erasures.advance(stores.database, erasure.id, "shown", erasure.details)


async def catch_up(stores: Stores, until: int) -> None:
    """What a follower remembers of the time before must not be shown after the switch; none may be running."""
    while (position := await stores.database.read(live.position)) < until:
        events = await stores.store.after(position, BATCH)
        await stores.database.write(partial(live.take_in, events=events))
    for name in filter(live.is_apart, live.models()):
        await _catch_up_apart(stores, name, until)


async def _catch_up_apart(stores: Stores, name: str, until: int) -> None:
    """Tables of another version are not filled by anybody: the rebuild makes them."""
    while True:
        standing = (await stores.database.read(live.standings))[name]
        if standing.position >= until or standing.version != live.models()[name].version:
            return
        events = await stores.store.after(standing.position, BATCH)
        await stores.database.write(partial(live.take_in_apart, name=name, events=events))
