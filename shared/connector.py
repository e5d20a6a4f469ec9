"""The contract of a channel: what it offers (fields, parse, build) and its two roles, Receiver and Sender.

A connector knows no server, store or transport: it gets an `Inlet` and gives back `Sent` or a `SendError`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from shared.contracts.inbound import About, Address, Call, Nature, RemoteFile
from shared.contracts.outbound import OutboundReply
from shared.values import dataclass

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PACKAGE = "shared.channels"
Part = Literal["config", "parse", "receive", "send", "build", "setup", "fetch", "history"]


# --- what a channel is ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a channel kind, as shown by `okno channels fields KIND`."""

    name: str
    help: str
    default: str | None = None
    """None: the setting must be given."""
    secret: bool = False
    choices: tuple[str, ...] = ()
    unique: bool = False
    """No two channels of the kind may have the same."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel kind can and cannot do."""

    receives_by: Literal["polling", "webhook", "both"]
    """both: a setting of the channel decides; `receiver` then idles, or `handle` refuses."""
    sends: bool
    threads: bool = False
    files: bool = False
    delivery_reports: bool = False
    edits: bool = False
    """What was sent can be changed and deleted."""
    reacts: bool = False
    markup: bool = False
    """Markdown becomes the channel's own formatting."""
    recipients: bool = False
    """Others than the client can be written to, openly or in copy."""
    typing: bool = False
    """The client can be shown that an operator is writing: the sender has `typing(thread_key)`, raising SendError."""
    calls: bool = False
    """It can ring the operator's telephone and then the client's."""
    tells_later: bool = False
    """What became of replies of unknown fate can be asked: the sender has `settling()`, an async context that opens
    what is needed once and lends `settled(reply_id) -> Sent | None`; both raise SendError when nobody can tell."""
    repeat_is_safe: bool = False
    """Sending the same reply again after a crash gives the client one message (idempotent provider or fixed id)."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A configured instance of a channel kind; `settings` holds every field, secrets decrypted."""

    id: UUID
    kind: str
    name: str
    settings: Mapping[str, str]


# --- inbound: bytes -> Parsed -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawItem:
    """One inbound item as the channel gave it, before anyone tried to understand it."""

    data: bytes
    media_type: str
    received_at: datetime
    key: str
    """The channel's own handle for this item (UIDVALIDITY.UID, submission id): used when parsing fails."""
    context: Mapping[str, str] = field(default_factory=dict)
    """What is needed besides the bytes to understand them (content type, query, remote address)."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    name: str
    media_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What `parse` understood. Everything the provider gave that has no field here stays in the raw bytes."""

    external_id: str
    sender: Address
    occurred_at: datetime
    dedup_key: str = ""
    """Tells duplicates from different items with the same external id; the external id itself when empty."""
    same_as: tuple[str, ...] = ()
    """Further dedup keys under which this same item may be here already, or may still come."""
    same_later: tuple[str, ...] = ()
    """Those of copies that come after this one as a rule: only looked for."""
    kind: Literal["text", "call", "form"] = "text"
    direction: Literal["inbound", "outbound"] = "inbound"
    """outbound: a call we made; written mail of ours is never read back as inbound."""
    subject: str = ""
    text: str = ""
    """What is new."""
    full_text: str = ""
    """With the quoted history; empty when it equals `text`."""
    html: str = ""
    """Sanitised; empty when there is none."""
    recipients: tuple[str, ...] = ()
    reply_to: Address | None = None
    """Where an answer goes if not to `sender`; None with `cannot_reply` empty means the sender."""
    reply_channel: UUID | None = None
    """The channel the answer leaves through if not the one it came in by (a form answered by mail)."""
    cannot_reply: str = ""
    """Why no answer is possible, in words for the operator; empty when it is."""
    refers_to: tuple[str, ...] = ()
    """External ids of messages this one answers, the nearest first."""
    known_as: tuple[str, ...] = ()
    """External ids under which others may refer to this message; empty where nobody can."""
    thread_key: str = ""
    """The provider's own thread (chat id): messages with the same key are one conversation."""
    fields: tuple[tuple[str, str], ...] = ()
    call: Call | None = None
    files: tuple[ParsedFile, ...] = ()
    identities: tuple[Address, ...] = ()
    """Further addresses of the same client (phone typed into a form): claimed, not verified."""
    vouched: tuple[Address, ...] = ()
    """Further addresses that the channel itself vouches for (a Telegram contact card of the sender's own)."""
    nature: Nature = "ordinary"
    about: About | None = None
    """What the item tells of an earlier message. One about a delivery stands on the timeline too, others do not."""
    remote_files: tuple[RemoteFile, ...] = ()
    """Files to be fetched in the background by `fetch.fetch`; the message does not wait for them."""
    proves: tuple[str, ...] = ()
    """Those of `refers_to` that only somebody who got that message can know (signed by us)."""
    topic: str = ""
    """The subject without Re:, Fwd: and case, to find a conversation by; empty when it says too little."""
    part_of: str = ""
    """Items of a channel with the same text here are one message (an album), in the order of their external ids."""
    warnings: tuple[str, ...] = ()
    """Short codes of what the operator should be warned of (dmarc_failed, two_senders, claimed_sender)."""
    arrived_at: datetime | None = None
    """When the channel had it, where `occurred_at` is only what the sender's own clock says."""
    awaits_call: bool = False
    """A report that does not tell whose call it is: it is held until another one of the same call does."""


class UnreadableItem(Exception):
    """`parse` cannot understand the item; the text is shown in the quarantine. The raw bytes are kept."""


class BadInput(Exception):
    """A webhook request that is refused before anything is stored; becomes an RFC 9457 answer.

    `status` is the HTTP status, `title` its short reason, `detail` what the caller can do about it.
    """

    def __init__(self, status: int, title: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or title)
        self.status, self.title, self.detail = status, title, detail
        self.headers = dict(headers or {})


# --- roles ------------------------------------------------------------------------------------------------


class Cursor(Protocol):
    """A channel's durable place in its provider's list."""

    async def load(self) -> str | None:
        """Return the saved place, or None on the first connect."""

    async def save(self, place: str) -> None:
        """Return once `place` is durable."""


class Inlet(Protocol):
    """What ingest gives a receiver."""

    cursor: Cursor
    public_url: str
    """Where the world reaches this process, as its settings say, without a slash at the end; empty if they do not."""

    async def accept(self, item: RawItem) -> UUID:
        """Understand, keep and publish `item`; return its inbound id once it is durable.

        An item nobody can understand is published as unreadable and counts as accepted. Raises when it could
        not be made durable: then nothing may be confirmed to the provider.
        """

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        """Tell how far behind the provider we are (items), or what is wrong (None: nothing)."""


class Receiver(Protocol):
    """The inbound role of a polling channel: one supervised task per channel."""

    async def run(self) -> None:
        """Receive until cancelled. Any exception restarts the task after a back-off, ReceiverRefused a long one."""


class ReceiverRefused(Exception):
    """The provider does not let the channel in (wrong password, consent ended); the text is shown.

    Trying again soon changes nothing and can lock the account. A change of the settings tries at once.
    """


class Webhook(Protocol):
    """The inbound role of a webhook channel: `receive.handle`, mounted at `receive.PATH` for `receive.METHODS`."""

    async def __call__(self, request: Request, channel: Channel, inlet: Inlet) -> Response:
        """Answer one request; 2xx only after `inlet.accept` returned. Raises BadInput to refuse."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted the reply under `external_id`; `known_as` are further ids answers may refer to."""

    external_id: str
    known_as: tuple[str, ...] = ()


HERE = "{here}"
"""Stands in `SetUp.facts` for where the channel's own addresses begin, which only whoever shows the facts knows."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What `set_up` found and did when a channel was added: lines for the person, settings to change."""

    facts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What the person must still do for the channel to work well."""
    settings: Mapping[str, str] = field(default_factory=dict)


class SetUpProblem(Exception):
    """The channel cannot work with these settings; the text says why and what to do."""


class FetchRefused(Exception):
    """A remote file can never be had (too large, gone); the text is shown in its place."""


class FetchDelayed(Exception):
    """A remote file cannot be had now; fetched again later."""

    def __init__(self, text: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class FileReader(Protocol):
    async def __call__(self, sha256: str) -> bytes:
        """Return a blob's bytes. Raises FileNotFoundError."""


class Sender(Protocol):
    """The outbound role of a channel: one instance per channel, `send` is called concurrently."""

    async def send(self, reply: OutboundReply) -> Sent:
        """Send one reply. Raises SendError; anything else is a bug."""

    async def close(self) -> None:
        """Give back connections."""


# --- every way a send can fail ----------------------------------------------------------------------------


class SendError(Exception):
    """A send that did not succeed. `code` is the provider's, the text is shown to the operator.

    retryable: try again later, the client got nothing.
    """

    retryable = False

    def __init__(self, text: str, code: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(text)
        self.code, self.retry_after_seconds = code, retry_after_seconds


class SendRefused(SendError):
    """Final: the provider says it will never deliver this (unknown address, blocked, too large)."""


class SendDelayed(SendError):
    """Not now: provider busy, rate limit, no connection. Nothing reached the client."""

    retryable = True


class ChannelDelayed(SendDelayed):
    """Not now, nor anything else through this channel: its provider wants a pause from all of it.

    Nothing of the channel is taken for `rests_seconds`, then one reply at a time; `retry_after_seconds` is this one's.
    """

    def __init__(self, text: str, code: str, retry_after_seconds: float, rests_seconds: float) -> None:
        super().__init__(text, code, retry_after_seconds)
        self.rests_seconds = rests_seconds


class SenderBroken(SendError):
    """The channel itself is not usable (login refused): nothing of this channel can be sent until it is mended."""

    retryable = True


class SendFateUnknown(SendError):
    """The provider may have accepted it, but its answer was lost: never repeated without the operator."""


# --- finding connectors -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """One channel kind; the modules are imported when first asked for, so an unused library is never loaded.

    Modules of a kind: config (FIELDS, CAPABILITIES, check(settings) -> list of problems, public_path(channel_id),
    optional: account(settings) -> whose messages come, capabilities(settings) -> CAPABILITIES of such a channel),
    parse (parse(item, channel) -> Parsed), receive (polling: receiver(channel, inlet) -> Receiver; webhook: PATH,
    METHODS, handle, optional: refusal_headers(request, channel) -> what every refusal carries too; both: all of these),
    send (sender(channel, read_file) -> Sender; absent where CAPABILITIES.sends is False).
    Optional: setup (async set_up(channel, public_url, say) -> SetUp, raises SetUpProblem; `say` shows a line to the
    person), fetch (async fetch(channel, remote_file) -> ParsedFile, raises FetchRefused or FetchDelayed), history
    (async history(channel, since, until) -> list of RawItem as the webhook would have given them, optional:
    why_none(channel) -> why this channel has no history, empty if it has).
    """

    name: str

    def module(
        self, part: Literal["config", "parse", "receive", "send", "build", "setup", "fetch", "history"]
    ) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{self.name}.{part}")

    @property
    def fields(self) -> tuple[Field, ...]:
        fields: tuple[Field, ...] = self.module("config").FIELDS
        return fields

    @property
    def capabilities(self) -> Capabilities:
        capabilities: Capabilities = self.module("config").CAPABILITIES
        return capabilities

    def capabilities_with(self, settings: Mapping[str, str]) -> Capabilities:
        """Return what a channel with these settings can do; a secret may be masked, but is empty only if not set."""
        narrowed: Callable[[Mapping[str, str]], Capabilities] | None
        narrowed = getattr(self.module("config"), "capabilities", None)
        return narrowed(settings) if narrowed else self.capabilities

    @property
    def parse(self) -> Callable[[RawItem, Channel], Parsed]:
        parse: Callable[[RawItem, Channel], Parsed] = self.module("parse").parse
        return parse

    def problems(self, settings: Mapping[str, str]) -> list[str]:
        """Return what is wrong with these settings, in words for the person who set them."""
        known = {f.name: f for f in self.fields}
        wrong = [f"unknown setting {name}" for name in settings if name not in known]
        for f in self.fields:
            value = settings.get(f.name, f.default)
            if value is None:
                wrong.append(f"{f.name} is required: {f.help}")
            elif f.choices and value not in f.choices:
                wrong.append(f"{f.name} must be one of {', '.join(f.choices)}")
        if not wrong:
            check: Callable[[Mapping[str, str]], list[str]] = self.module("config").check
            wrong = check(self.complete(settings))
        return wrong

    def account(self, settings: Mapping[str, str]) -> str:
        """Return whose messages come with these settings, where a kind numbers them by that; else empty.

        A channel keeps its account: messages of another one would be taken for old ones with the same numbers.
        """
        account: Callable[[Mapping[str, str]], str] | None = getattr(self.module("config"), "account", None)
        return account(settings) if account else ""

    def complete(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the settings with defaults filled in."""
        return {f.name: settings.get(f.name, f.default or "") for f in self.fields}


def kinds() -> list[str]:
    """Return the names of all channel kinds: the folders of `shared/channels`."""
    package = importlib.import_module(PACKAGE)
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg)


def load(kind: str) -> Kind:
    """Return the connector of a kind. Raises LookupError for an unknown one."""
    if kind not in kinds():
        raise LookupError(f"no channel kind {kind!r}; there are {', '.join(kinds())}")
    return Kind(kind)
