"""A channel's settings without its secrets: of those only which are set, for whoever must not read them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.connector import load

HIDDEN = "***"
"""What a secret that is set looks like; one that is not set is empty."""
_SET = "secrets set"
"""Kept beside the settings; no setting has a space in its name."""


def sealed_off(settings: Mapping[str, str], secret: set[str]) -> tuple[str, dict[str, str]]:
    """Return what is kept in the open, and the secrets."""
    hidden = {name: value for name, value in settings.items() if name in secret}
    shown = {name: value for name, value in settings.items() if name not in secret}
    kept = {**shown, _SET: sorted(name for name, value in hidden.items() if value)}
    return json.dumps(kept, ensure_ascii=False), hidden


def without_secrets(kept: str) -> dict[str, str]:
    """Return the open settings as they were kept."""
    settings: dict[str, str] = json.loads(kept)
    settings.pop(_SET, None)
    return settings


def with_hidden_secrets(kind: str, kept: str) -> dict[str, str]:
    """Return all settings, a secret as HIDDEN or empty. Raises LookupError for an unknown kind.

    Of a channel kept before it was noted which are set, every secret counts as set.
    """
    names = [field.name for field in load(kind).fields if field.secret]
    are_set = json.loads(kept).get(_SET, names)
    return {**without_secrets(kept), **{name: HIDDEN if name in are_set else "" for name in names}}
