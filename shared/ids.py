"""Ids as Okno writes them: 36 characters, made in a quarter of the time that `str` takes; lists and tuples at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

text_of: Callable[[UUID], str] = msgspec.to_builtins
texts_of: Callable[[list[UUID]], list[str]] = msgspec.to_builtins
