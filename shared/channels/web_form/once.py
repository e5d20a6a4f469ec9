"""One submission, one key: what tells a repeated post from a new one."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from uuid import UUID

from shared.channels.web_form.body import Submission
from shared.channels.web_form.platforms import platform_of
from shared.connector import BadInput

WINDOW_SECONDS = 600
REMEMBERED = 50_000
PAGE_KEY = "_key"
"""A random text in each hosted page: the same page sent twice is one submission, unless its text was changed."""


def given_key(header: str) -> str:
    """Return the key of an Idempotency-Key header, empty without one. Raises BadInput.

    It is a quoted string in draft-ietf-httpapi-idempotency-key-header, bare in practice.
    """
    key = header.strip().strip('"')
    if len(key) > 255 or not key.isprintable():
        raise BadInput(400, "Bad Idempotency-Key", "Idempotency-Key is limited to 255 printable characters.")
    return f"key:{key}" if key else ""


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

    def key_of(self, channel_id: UUID, submission: Submission, at: float) -> str:
        """Return the key by the platform's id of the submission, else by what was posted; `at` in Unix seconds."""
        platform = platform_of(submission)
        if platform.id:
            return platform.id
        content = content_hash(channel_id, submission)
        if hint := platform.hint or _page_key(submission):
            return f"id:{hint}:{content}"
        return self.key(content, at)

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


def _page_key(submission: Submission) -> str:
    for name, value in submission.fields:
        if name == PAGE_KEY:
            return value.strip()[:64]
    return ""
