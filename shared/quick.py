"""What is made for every message, in a fraction of the time: frozen dataclasses of many fields, and named UUIDs.

Nothing else about them changes. Imports only the standard library, so that everybody may import it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from hashlib import sha1
from typing import Any, TypeVar
from uuid import UUID, SafeUUID

T = TypeVar("T")
_FREE_BITS = ((1 << 128) - 1) & ~((0xF << 76) | (3 << 62))
_VERSION_5 = (5 << 76) | (2 << 62)
_new, _set = object.__new__, object.__setattr__


def quickly_made(cls: type[T]) -> type[T]:
    """Return a frozen slotted dataclass whose instances are made seven times as fast.

    The generated `__init__` goes through `object.__setattr__` for each field. This one sets them on a twin that has
    the same slots and no guard, and makes the instance one of the real class before anybody sees it.
    """
    all_fields = fields(cls)  # type: ignore[arg-type]
    if any(field.default_factory is not MISSING or field.kw_only or not field.init for field in all_fields):
        raise TypeError(f"{cls.__name__} has fields that are more than a value with a default")
    twin = type(f"_{cls.__name__}", (), {"__slots__": cls.__slots__})  # type: ignore[attr-defined]
    defaults = {f"_{field.name}": field.default for field in all_fields if field.default is not MISSING}
    taken = [f.name if f.default is MISSING else f"{f.name}=_{f.name}" for f in all_fields]
    sets = [f"    self.{field.name} = {field.name}" for field in all_fields]
    head = f"def __init__(self, {', '.join(taken)}):\n    _set(self, '__class__', _twin)"
    made: dict[str, Any] = {"_set": _set, "_twin": twin, "_real": cls, **defaults}
    exec("\n".join([head, *sets, "    self.__class__ = _real"]), made)  # noqa: S102 (as dataclasses itself does)
    cls.__init__ = made["__init__"]  # type: ignore[method-assign]
    return cls


def named_uuid(namespace: UUID, name: str) -> UUID:
    """Return `uuid.uuid5(namespace, name)` (RFC 9562, section 5.5)."""
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    made = _new(UUID)
    _set(made, "int", (int.from_bytes(digest[:16], "big") & _FREE_BITS) | _VERSION_5)
    _set(made, "is_safe", SafeUUID.unknown)
    return made
