"""Lets aiogram be imported without building validators of its 400 types: five seconds, 110 MB, and nobody uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

LIBRARY = "aiogram."


@contextmanager
def models_unbuilt() -> Iterator[None]:
    """Import aiogram inside: what its types look like stays unknown, what they are called does not.

    pydantic has no switch for this; aiogram calls the public `model_rebuild` of each type at the end of its import.
    """
    rebuild = BaseModel.__dict__["model_rebuild"]

    def only_others(model: type[BaseModel], /, **how: Any) -> bool | None:
        if model.__module__.startswith(LIBRARY):
            return False
        built: Callable[..., bool | None] = rebuild.__get__(None, model)
        return built(**how)

    setattr(BaseModel, "model_rebuild", classmethod(only_others))  # noqa: B010
    try:
        yield
    finally:
        setattr(BaseModel, "model_rebuild", rebuild)  # noqa: B010
