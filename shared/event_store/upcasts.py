"""Old shapes of stored events, brought to today's: `UPCASTS[stored name] = (today's name, change of its JSON)`.

A new field with a default needs no entry; a renamed or split one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Upcast = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]

UPCASTS: Mapping[str, Upcast] = {}
