"""When two mails are one that came twice, PURE: they say the same, and the same would become of them.

What servers add on the way (Received, Delivered-To, DKIM, ARC, List-, the points of a spam filter) does not count. What
such a header makes of a mail (automatic, forged, marked as spam, an answer in a conversation) does: a copy somebody
sends under another's Message-ID may stand beside the real mail, and never in its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from shared.channels.email import mime
from shared.contracts.inbound import About, Address, Nature

_SAID = ("message-id", "from", "reply-to", "to", "cc", "date", "subject", "in-reply-to", "references")
"""What the author's program writes (RFC 5322, 3.6). Sender is left out: lists put their own there."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was made of a mail besides what it says."""

    sender: Address
    is_nameless: bool
    nature: Nature
    about: About | None
    known_as: tuple[str, ...]
    proves: tuple[str, ...]
    warnings: tuple[str, ...]


def keys(tree: mime.Part, external_id: str, judged: Judged) -> tuple[str, ...]:
    """Return the key that all copies of a mail share; none where nothing tells a copy from a mail like it.

    Some devices send every mail under one Message-ID: only the Date tells when it was written. The key of a mail must
    stay as it is: with another one a copy that was passed over would be a message when its folder is read anew.
    """
    if judged.is_nameless or not external_id.startswith("<") or not tree.header("date").strip():
        return ()
    digest = hashlib.sha256(_judgement(judged))
    for piece in _pieces(tree):
        digest.update(b"%d:" % len(piece))
        digest.update(piece)
    return (f"{external_id} said {digest.hexdigest()}",)


def _judgement(judged: Judged) -> bytes:
    """A list's copy waits for an answer as the one that came straight does."""
    nature = "ordinary" if judged.nature == "list" else judged.nature
    sender = (judged.sender.address, judged.sender.name)
    told = (sender, nature, judged.about, judged.known_as, judged.proves, judged.warnings)
    return json.dumps(told, default=asdict).encode()


def _pieces(tree: mime.Part) -> Iterator[bytes]:
    """Yield what the mail says; folding and spaces of its header may change on the way (RFC 6376, 3.4.2)."""
    for name in _SAID:
        values = tree.all(name)
        yield b"%d" % len(values)
        yield from (b" ".join(value.split()) for value in values)
    yield from _content(tree)


def _content(part: mime.Part) -> Iterator[bytes]:
    """Yield parts with their transfer encoding undone, which servers change; not the delimiters between them."""
    parameters = sorted((name, value) for name, value in part.parameters.items() if name != "boundary")
    yield json.dumps((part.content_type, parameters, len(part.parts))).encode()
    yield from (b" ".join(part.header(name).split()) for name in ("content-disposition", "content-id"))
    if not part.parts:
        yield part.body().rstrip() if part.content_type.startswith("text/") else part.body()
    for child in part.parts:
        yield from _content(child)
