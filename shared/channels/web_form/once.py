"""One submission, one key: what tells a repeated post from a new one."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from uuid import UUID

from shared.channels.web_form.body import Submission
from shared.connector import BadInput

WINDOW_SECONDS = 600
REMEMBERED = 50_000
PLATFORM_IDS = ("tranid",)
"""Fields in which a form service numbers its submissions; Tilda repeats a post with the same tranid."""


def given_key(header: str, submission: Submission) -> str:
    """Return the key the sender gave, by Idempotency-Key or by the platform's id; empty if it gave none.

    The header is a quoted string in draft-ietf-httpapi-idempotency-key-header, bare in practice.
    """
    if key := header.strip().strip('"'):
        if len(key) > 255 or not key.isprintable():
            raise BadInput(400, "Bad Idempotency-Key", "Idempotency-Key is limited to 255 printable characters.")
        return f"key:{key}"
    for name, value in submission.fields:
        if name in PLATFORM_IDS and value.strip():
            return f"{name}:{value.strip()[:255]}"
    return ""


def content_hash(channel_id: UUID, submission: Submission) -> str:
    """Return a hash of the form and what was posted, the same however it was encoded."""
    digest = sha256(channel_id.bytes)
    digest.update("\0".join([text for pair in submission.fields for text in pair]).encode())
    for file in submission.files:
        digest.update(f"\0{file.name}\0{len(file.data)}\0".encode())
        digest.update(file.data)
    return digest.hexdigest()[:32]


class Windows:
    """Keys for posts without one: hash and ten-minute window, so that the same text next day is new.

    The key is the same in every process. Where two posts straddle the edge of a window, the later one takes the
    key of the earlier if this process has seen it within ten minutes (of the last 50,000 posts).
    """

    def __init__(self) -> None:
        self._recent: OrderedDict[str, float] = OrderedDict()

    def key(self, content: str, at: float) -> str:
        """Return the key of a post by its `content_hash`; `at` is Unix time in seconds."""
        first = self._recent.get(content)
        if first is None or not 0 <= at - first < WINDOW_SECONDS:
            first = at
            self._remember(content, at)
        return f"hash:{content}:{int(first // WINDOW_SECONDS)}"

    def _remember(self, content: str, at: float) -> None:
        self._recent[content] = at
        self._recent.move_to_end(content)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
