"""Turns an item into a message, or an unreadable item with the reason: a bug in `parse` stops nobody.

What is large is in blobs, durable, before `understand` returns.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from functools import cache
from uuid import UUID

from services.ingest.apart import Apart, BugInParser, ParserDied
from services.ingest.apart import Parse as Parse
from shared.blobs import Blobs
from shared.connector import Channel
from shared.contracts.inbound import (
    INLINE_RAW_BYTES,
    Address,
    FileRef,
    InboundMessage,
    InboundUnreadable,
    Raw,
    inbound_id,
)
from shared.domain import identity
from shared.logs import Log
from shared.parsed import Parsed, ParsedFile, RawItem, UnreadableItem
from shared.said import said_with_kind

APART_FROM_BYTES = 256 * 1024
"""Larger items are parsed in a child process; a kind may set a smaller limit of this name in its `parse` module."""
PARSE_SECONDS = 4.0
"""A poison item holds up its own channel for less than 5 s, and no other (I5)."""
TEXT_CHARACTERS = 64 * 1024
Understood = InboundMessage | InboundUnreadable
APART = Apart()
log = Log("ingest.understand")


async def understand(item: RawItem, channel: Channel, parse: Parse, blobs: Blobs, id: UUID | None = None) -> Understood:
    """Return what `item` says. `id`: keep this inbound id instead of deriving one. Raises OSError (disk full)."""
    raw = _inline(item) if len(item.data) <= INLINE_RAW_BYTES else await _in_blobs(item, blobs)
    try:
        if len(item.data) > _apart_from(parse):
            parsed = await APART.parse(parse, item, channel, PARSE_SECONDS)
        else:
            parsed = parse(item, channel)
    except UnreadableItem as error:
        return unreadable(item, channel, raw, str(error) or "unreadable", id)
    except TimeoutError:
        return unreadable(item, channel, raw, f"not understood within {PARSE_SECONDS:.0f} s", id)
    except ParserDied:
        return unreadable(item, channel, raw, "the parser ended before it had understood it", id)
    except BugInParser as bug:
        log.error("parse_failed", bug, channel_id=channel.id, kind=channel.kind, key=item.key)
        return unreadable(item, channel, raw, str(bug), id)
    except Exception as bug:
        log.error("parse_failed", bug, channel_id=channel.id, kind=channel.kind, key=item.key)
        return unreadable(item, channel, raw, said_with_kind(bug), id)
    if max(len(parsed.text), len(parsed.full_text), len(parsed.html)) > TEXT_CHARACTERS:
        parsed = _with_long_texts_as_files(parsed)
    files = await _files(parsed.files, blobs) if parsed.files else ()
    return _message(item, channel, parsed, raw, files, id)


@cache
def _apart_from(parse: Parse) -> int:
    return int(getattr(sys.modules.get(parse.__module__), "APART_FROM_BYTES", APART_FROM_BYTES))


def unreadable(item: RawItem, channel: Channel, raw: Raw, reason: str, id: UUID | None = None) -> InboundUnreadable:
    """Return the item for the quarantine; without a given id it is known by the channel's own handle."""
    return InboundUnreadable(
        id=id or inbound_id(channel.id, item.key),
        channel_id=channel.id,
        channel_kind=channel.kind,
        external_id=item.key,
        received_at=item.received_at,
        reason=reason,
        context=dict(item.context),
        raw=raw,
    )


def _message(
    item: RawItem, channel: Channel, parsed: Parsed, raw: Raw, files: tuple[FileRef, ...], id: UUID | None
) -> InboundMessage:
    """Give each field by its place: matching forty names takes longer than all else that is done here."""
    return InboundMessage(
        id or inbound_id(channel.id, parsed.dedup_key or parsed.external_id),
        channel.id,
        channel.kind,
        parsed.external_id,
        parsed.occurred_at,
        item.received_at,
        _in_one_form(parsed.sender),
        parsed.kind,
        parsed.direction,
        parsed.subject,
        parsed.text,
        parsed.full_text,
        parsed.html,
        parsed.recipients,
        parsed.reply_to,
        parsed.reply_channel,
        parsed.cannot_reply,
        parsed.refers_to,
        parsed.known_as,
        parsed.thread_key,
        parsed.fields,
        parsed.call,
        files,
        tuple(map(_in_one_form, parsed.identities)),
        raw,
        parsed.nature,
        parsed.about,
        parsed.remote_files,
        parsed.proves,
        parsed.topic,
        parsed.warnings,
        tuple(map(_in_one_form, parsed.vouched)),
        _same_as(channel.id, parsed, id),
        parsed.part_of,
        parsed.awaits_call,
        _ids(channel.id, parsed.same_later),
        item.key if item.key != parsed.external_id else "",
        dict(item.context),
        parsed.arrived_at,
    )


def _same_as(channel_id: UUID, parsed: Parsed, id: UUID | None) -> tuple[UUID, ...]:
    """What was read again under its id in the quarantine is known under the one it would have had, too."""
    ids = _ids(channel_id, parsed.same_as)
    derived = inbound_id(channel_id, parsed.dedup_key or parsed.external_id) if id else None
    return ids if derived is None or derived == id else (derived, *ids)


def _ids(channel_id: UUID, keys: tuple[str, ...]) -> tuple[UUID, ...]:
    return tuple([inbound_id(channel_id, key) for key in keys]) if keys else ()


def _in_one_form(address: Address) -> Address:
    """Whatever channel an address came by, its owner is found by the same key."""
    normal = identity.normal(address.kind, address.address)
    return address if normal == address.address else replace(address, address=normal)


def _inline(item: RawItem) -> Raw:
    return Raw(hashlib.sha256(item.data).hexdigest(), len(item.data), item.media_type, item.data)


async def _in_blobs(item: RawItem, blobs: Blobs) -> Raw:
    return Raw(await blobs.put(item.data), len(item.data), item.media_type, None)


async def _files(files: tuple[ParsedFile, ...], blobs: Blobs) -> tuple[FileRef, ...]:
    return tuple([FileRef(await blobs.put(f.data), len(f.data), f.name, f.media_type, f.content_id) for f in files])


def _with_long_texts_as_files(parsed: Parsed) -> Parsed:
    """Clip texts that would make the event too large; the whole of each becomes a file of the message.

    HTML cannot be cut without breaking its markup, so it is left to the file.
    """
    files: list[ParsedFile] = []

    def clip(text: str, name: str) -> str:
        if len(text) <= TEXT_CHARACTERS:
            return text
        files.append(ParsedFile(name, "text/plain; charset=utf-8", text.encode(errors="replace")))
        return f"{text[:TEXT_CHARACTERS]}\n{_clipped(name)}"

    text, full_text, html = clip(parsed.text, "text.txt"), clip(parsed.full_text, "full-text.txt"), parsed.html
    if len(html) > TEXT_CHARACTERS:
        files.append(ParsedFile("message.html", "text/html; charset=utf-8", html.encode(errors="replace")))
        text, html = f"{text}\n{_clipped('message.html')}", ""
    return replace(parsed, text=text, full_text=full_text, html=html, files=(*parsed.files, *files))


def _clipped(name: str) -> str:
    return f"[too long to show here: the whole of it is in the attached file {name}]"
