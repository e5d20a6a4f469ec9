"""The contract of a channel: its two roles, Receiver and Sender, and how the connector of a kind is found.

A connector knows no server, store or transport: it gets an `Inlet` and gives back `Sent` or a `SendError`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import field
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from shared.capabilities import Capabilities, Field
from shared.contracts.outbound import OutboundReply
from shared.parsed import Parsed, RawItem
from shared.values import dataclass

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PACKAGE = "shared.channels"
Part = Literal["config", "parse", "receive", "send", "build", "setup", "fetch", "history"]


# --- what a channel is ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Channel:
    """A configured instance of a channel kind; `settings` holds every field, secrets decrypted."""

    id: UUID
    kind: str
    name: str
    settings: Mapping[str, str]


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


class BadInput(Exception):
    """A webhook request that is refused before anything is stored; becomes an RFC 9457 answer.

    `status` is the HTTP status, `title` its short reason, `detail` what the caller can do about it.
    """

    def __init__(self, status: int, title: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or title)
        self.status, self.title, self.detail = status, title, detail
        self.headers = dict(headers or {})


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
    METHODS (of all its addresses, or by each PATH), handle, optional: refusal_headers(request, channel) -> what every
    refusal carries too; both: all of these), send (sender(channel, read_file) -> Sender; absent where
    CAPABILITIES.sends is False).
    Optional: setup (async set_up(channel, public_url, say) -> SetUp, raises SetUpProblem; `say` shows a line to the
    person), fetch (async fetch(channel, remote_file) -> ParsedFile, raises FetchRefused or FetchDelayed), history
    (async history(channel, since, until) -> list of RawItem as the webhook would have given them, optional:
    why_none(channel) -> why this channel has no history, empty if it has).
    """

    name: str

    def module(self, part: Part) -> ModuleType:
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
