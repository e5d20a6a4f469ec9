"""Carries erasures out, step by step; each step may be repeated, so a crash costs only time.

Several are done together: read models are rebuilt, and what travels is waited for, once for all of them.
"""

from __future__ import annotations

from functools import partial

from services.privacy import destroying, ending, showing
from services.privacy.held_up import tried
from services.privacy.stores import Stores
from shared.registry import erasures


async def carry_out(stores: Stores) -> int:
    """Do what can be done now of all that was asked for; return how many erasures are still under way.

    Raises DatabaseUnavailable, TransportUnavailable.
    """
    work = await stores.database.read(erasures.unfinished)
    for erasure in work:
        if erasure.state == "requested":
            await tried(stores.database, erasure, "record", partial(destroying.record, stores, erasure))
    for erasure in await stores.database.read(erasures.unfinished):
        if erasure.state == "recorded":
            destroy = destroying.give_up if erasure.kind == "lost" else destroying.destroy
            await tried(stores.database, erasure, "destroy", partial(destroy, stores, erasure))
    waiting = [each for each in await stores.database.read(erasures.unfinished) if each.state == "destroyed"]
    if waiting:
        await showing.show(stores, waiting)
    shown = [each for each in await stores.database.read(erasures.unfinished) if each.state == "shown"]
    travelling = [each for each in shown if not each.details.get("nothing_travels")]
    if travelling and await ending.nothing_travels(stores, travelling):
        for erasure in travelling:
            erasure.details["nothing_travels"] = True
    travelled = [erasure for erasure in shown if erasure.details.get("nothing_travels")]
    ended = [
        each for each in travelled
        if await tried(stores.database, each, "files", partial(ending.files_are_gone, stores, each))
    ]  # fmt: skip
    if certain := await ending.forget_since(stores, ended):
        await ending.certify(stores, certain)
    unwiped = [each for each in travelled if each not in ended and not each.details.get("wiped")]
    if late := await ending.forget_since(stores, unwiped):
        await ending.wipe_before_files(stores, late)
    return len(await stores.database.read(erasures.unfinished))
