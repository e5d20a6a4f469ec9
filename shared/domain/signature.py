"""The words below a mail, PURE: the mailbox's template with its variables filled in, and the operator's own in it.

An operator's own signature stands instead of the mailbox's, unless that one says where it goes: `{signature}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SIGNATURE_LIMIT = 2_000
VARIABLES = ("operator", "organisation", "channel", "address")
"""What both templates may name; anything else in braces stays as it was typed."""
OWN = "signature"
"""The variable of the mailbox's template alone."""
_VARIABLE = re.compile(r"\{(\w{1,40})\}")


def signature(mailbox: str, own: str, values: Mapping[str, str]) -> str:
    """Return what stands below the mail, empty for nothing. In `mailbox`, `\\n` is a new line too.

    `values`: those of `values_of`; none of them is looked through for variables.
    """
    mailbox = mailbox.replace("\\n", "\n")
    mine = _filled(own, values).strip()
    if mine and "{" + OWN + "}" not in mailbox:
        return mine
    return _filled(mailbox, {**values, OWN: mine}).strip()


def values_of(operator: str, channel: str, address: str, organisation: str = "") -> dict[str, str]:
    """Return the values of VARIABLES; a mail without an operator is the channel's, and so is its organisation."""
    names = {"operator": operator or channel, "organisation": organisation or channel, "channel": channel}
    return {name: " ".join(value.split())[:200] for name, value in {**names, "address": address}.items()}


def unknown_variables(template: str, *, of_mailbox: bool) -> list[str]:
    """Return the names in braces that nothing stands for."""
    known = {*VARIABLES, OWN} if of_mailbox else set(VARIABLES)
    return sorted(set(_VARIABLE.findall(template)) - known)


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), template)
