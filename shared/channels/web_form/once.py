"""One submission, one key: what tells a repeated post from a new one."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from uuid import UUID

from shared.channels.web_form.body import Submission
from shared.channels.web_form.names import role_of
from shared.channels.web_form.platforms import platform_of
from shared.connector import BadInput

WINDOW_SECONDS = 300
WINDOWS_BEFORE = 2
REMEMBERED = 20_000
"""Posts, some 6 MB; those longest ago are forgotten first."""
PAGE_KEY = "_key"
"""A random text in each hosted page: the same page sent twice is one submission, unless its text was changed."""
_OF_A_WINDOW = "hash:"


class Repeats:
    """The keys of what was posted lately, as this process gave them: a repeat gets the key of the first post.

    So the answer to a repeat names the entry there is, also in a later window. Of two processes each knows its own:
    there the entry is one by `same_as`, but a repeat that comes to the other one is answered with an id of its own.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._first: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered

    def first_key(self, key: str) -> str:
        """Return the key of the first post of the same content within reach, else the key, for repeats to come."""
        if not key.startswith(_OF_A_WINDOW):
            return key
        content, _, text = key.rpartition(":")
        window, first = int(text), self._first.get(content)
        if first is not None and abs(window - first) <= WINDOWS_BEFORE:
            return f"{content}:{first}"
        self._first[content] = window
        self._first.move_to_end(content)
        if len(self._first) > self._remembered:
            self._first.popitem(last=False)
        return key


def given_key(header: str) -> str:
    """Return what an Idempotency-Key header says, empty without one. Raises BadInput.

    It is a quoted string in draft-ietf-httpapi-idempotency-key-header, bare in practice.
    """
    key = header.strip().strip('"')
    if len(key) > 255 or not key.isprintable():
        raise BadInput(400, "Bad Idempotency-Key", "Idempotency-Key is limited to 255 printable characters.")
    return key


def under_given_key(key: str, channel_id: UUID, submission: Submission) -> str:
    """Return the key of a post whose sender named one.

    The draft would refuse other content under a used key with 422. Here it is an entry of its own: no process needs to
    know what another one took, and what a client wrote is not lost by a program that numbers its posts badly. What only
    the form's machinery sent (a captcha's token, the time) may differ in a repetition.
    """
    said = Submission(tuple(pair for pair in submission.fields if role_of(pair[0]) != "service"), submission.files)
    return f"key:{key}:{content_hash(channel_id, said)}"


def content_hash(channel_id: UUID, submission: Submission) -> str:
    """Return a hash of the form and what was posted, the same however it was encoded."""
    digest = sha256(channel_id.bytes)
    digest.update("\0".join([text for pair in submission.fields for text in pair]).encode())
    for file in submission.files:
        digest.update(f"\0{file.name}\0{len(file.data)}\0".encode())
        digest.update(file.data)
    return digest.hexdigest()[:32]


def key_of(channel_id: UUID, submission: Submission, at: float) -> str:
    """Return the key by the platform's id of the submission, else by what was posted; `at` in Unix seconds."""
    platform = platform_of(submission)
    if platform.id:
        return platform.id
    if platform.hint:  # the number of a JSON-RPC request is another with every try
        said = tuple(pair for pair in submission.fields if pair[0] not in platform.machinery)
        return f"id:{platform.hint}:{content_hash(channel_id, Submission(said, submission.files))}"
    content = content_hash(channel_id, submission)
    if page_key := _page_key(submission):
        return f"id:{page_key}:{content}"
    return f"{_OF_A_WINDOW}{content}:{int(at // WINDOW_SECONDS)}"


def same_as(key: str) -> tuple[str, ...]:
    """Return the further keys of a post: those it would have had in the windows before; none with a key of its own.

    The later of two posts finds the earlier one's key among these, the earlier one its own if it comes last; so the
    same text is one submission for 10 to 15 minutes, at however many processes, and new the next day.
    """
    if not key.startswith(_OF_A_WINDOW):
        return ()
    content, _, window = key.rpartition(":")
    return tuple(f"{content}:{int(window) - before}" for before in range(1, WINDOWS_BEFORE + 1))


def same_later(key: str) -> tuple[str, ...]:
    """Return the keys of a repeat in the windows after: where one process decides, looking for these does."""
    if not key.startswith(_OF_A_WINDOW):
        return ()
    content, _, window = key.rpartition(":")
    return tuple(f"{content}:{int(window) + after}" for after in range(1, WINDOWS_BEFORE + 1))


def _page_key(submission: Submission) -> str:
    for name, value in submission.fields:
        if name == PAGE_KEY:
            return value.strip()[:64]
    return ""
