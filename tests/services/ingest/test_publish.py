from __future__ import annotations

import errno
import hashlib
from dataclasses import fields
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from services.ingest import understand as understanding
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.metrics import forget_lag
from services.ingest.publish import MESSAGE_BYTES, ChannelInlet
from shared.connector import Channel
from shared.contracts import topics
from shared.contracts.inbound import (
    About,
    Address,
    Call,
    Deleted,
    FileRef,
    InboundMessage,
    InboundUnreadable,
    Raw,
    RemoteFile,
    inbound_id,
)
from shared.parsed import Parsed, ParsedFile, RawItem
from shared.transport.protocol import TransportUnavailable
from tests.services.fakes import AT, MemoryTransport, item, parse_line, registry_of

CHANNEL = Channel(uuid4(), "lines", "Lines", {})


@pytest.fixture
def transport():
    return MemoryTransport()


@pytest.fixture
def inlet(database, blobs, transport):
    kept = KeptSettings(registry_of(database))
    return ChannelInlet(CHANNEL, parse_line, None, transport, blobs, HealthReports(database), kept)


def parsing(inlet, **parsed):
    """Let the inlet understand everything as this."""
    values = {"external_id": "x", "sender": Address("email", "a@b.c"), "occurred_at": AT} | parsed
    inlet._parse = lambda item, channel: Parsed(**values)


def only(transport):
    (contract,) = transport.contracts(topics.INBOUND)
    return contract


async def test_message_is_published_whole_under_the_key_of_its_sender(inlet, transport):
    id_ = await inlet.accept(item("anna@example.com|Здравствуйте"))
    raw = "anna@example.com|Здравствуйте".encode()
    assert only(transport) == InboundMessage(
        id=inbound_id(CHANNEL.id, "1"),
        channel_id=CHANNEL.id,
        channel_kind="lines",
        external_id="1",
        occurred_at=AT,
        received_at=AT,
        sender=Address("email", "anna@example.com"),
        kind="text",
        direction="inbound",
        subject="",
        text="Здравствуйте",
        full_text="",
        html="",
        recipients=(),
        reply_to=None,
        reply_channel=None,
        cannot_reply="",
        refers_to=(),
        known_as=(),
        thread_key="",
        fields=(),
        call=None,
        files=(),
        identities=(),
        raw=Raw(hashlib.sha256(raw).hexdigest(), len(raw), "text/plain", raw),
    )
    (record,) = transport.records[topics.INBOUND]
    assert record.key == "email:anna@example.com"
    assert record.headers["ce_id"] == str(id_) == str(only(transport).id)
    assert record.headers["ce_source"] == f"/channels/{CHANNEL.id}"


async def test_every_field_that_was_understood_stands_under_its_own_name(inlet, transport):
    """The message is made of its fields by their places: no two may be the same here."""
    told = {
        "kind": "call", "direction": "outbound", "subject": "a", "text": "b", "full_text": "c", "html": "d",
        "recipients": ("e",), "reply_to": Address("email", "f@f.f"), "reply_channel": uuid4(), "cannot_reply": "g",
        "refers_to": ("h",), "known_as": ("i",), "thread_key": "j", "fields": (("k", "l"),),
        "call": Call("missed", "inbound", "m", "n"), "identities": (Address("phone", "+70000000001"),),
        "nature": "automatic", "about": About(deleted=Deleted(("o",))), "proves": ("q",), "topic": "r",
        "warnings": ("s",), "vouched": (Address("phone", "+70000000002"),), "part_of": "t", "awaits_call": True,
        "remote_files": (RemoteFile("u", "v", "w/x"),), "arrived_at": AT + timedelta(seconds=1),
    }  # fmt: skip
    made = {"sender": Address("email", "y@y.y"), "external_id": "z", "occurred_at": AT + timedelta(seconds=2)}
    parsing(inlet, **told, **made, same_as=("1",), same_later=("2",))
    await inlet.accept(RawItem(b"raw", "text/plain", AT, "3", {"4": "5"}))
    assert only(transport) == InboundMessage(
        **told,
        **made,
        id=inbound_id(CHANNEL.id, "z"),
        channel_id=CHANNEL.id,
        channel_kind="lines",
        received_at=AT,
        files=(),
        raw=Raw(hashlib.sha256(b"raw").hexdigest(), 3, "text/plain", b"raw"),
        same_as=(inbound_id(CHANNEL.id, "1"),),
        same_later=(inbound_id(CHANNEL.id, "2"),),
        key="3",
        context={"4": "5"},
    )
    assert told.keys() | made.keys() | {"dedup_key", "same_as", "same_later", "files"} == {
        each.name for each in fields(Parsed)
    }


async def test_further_keys_become_ids_and_parts_keep_what_they_are_part_of(inlet, transport):
    parsing(inlet, same_as=("a", "b"), part_of="7/album/1")
    await inlet.accept(item("anna@example.com|Hello"))
    ids = tuple(inbound_id(CHANNEL.id, key) for key in ("a", "b"))
    assert (only(transport).same_as, only(transport).part_of) == (ids, "7/album/1")


async def test_dedup_key_decides_the_id_before_the_external_id(inlet, transport):
    parsing(inlet, dedup_key="call-1:ringing")
    assert await inlet.accept(item("x")) == inbound_id(CHANNEL.id, "call-1:ringing")


@pytest.mark.parametrize(
    ("data", "reason"), [("without", "no bar in it"), ("bug", "KeyError: 'no such thing'"), ("", "no bar in it")]
)
async def test_item_nobody_understands_is_published_with_its_bytes_and_the_reason(inlet, transport, data, reason):
    given = RawItem(data.encode(), "text/plain", AT, "7.42", {"remote": "::1"})
    id_ = await inlet.accept(given)
    assert only(transport) == InboundUnreadable(
        id=inbound_id(CHANNEL.id, "7.42"),
        channel_id=CHANNEL.id,
        channel_kind="lines",
        external_id="7.42",
        received_at=AT,
        reason=reason,
        context={"remote": "::1"},
        raw=Raw(hashlib.sha256(data.encode()).hexdigest(), len(data), "text/plain", data.encode()),
    )
    assert id_ == only(transport).id


async def test_large_raw_bytes_and_attachments_are_in_blobs_before_the_message_is_published(inlet, transport, blobs):
    big = "a@b.c|" + "x" * 70_000
    parsing(inlet, files=(ParsedFile("photo.png", "image/png", b"\x89PNG", "cid"),))
    await inlet.accept(item(big))
    message = only(transport)
    assert message.raw.data is None
    assert await blobs.get(message.raw.sha256) == big.encode()
    (photo,) = message.files
    assert photo == FileRef(hashlib.sha256(b"\x89PNG").hexdigest(), 4, "photo.png", "image/png", "cid")
    assert await blobs.get(photo.sha256) == b"\x89PNG"


async def test_text_too_long_for_an_event_is_clipped_and_kept_whole_as_a_file(inlet, transport, blobs):
    text, html = "я" * 70_000, "<p>" + "h" * 70_000
    parsing(inlet, text=text, html=html)
    await inlet.accept(item("x"))
    message = only(transport)
    assert message.text.startswith("я" * understanding.TEXT_CHARACTERS + "\n[too long")
    assert message.text.splitlines()[-2:] == [
        "[too long to show here: the whole of it is in the attached file text.txt]",
        "[too long to show here: the whole of it is in the attached file message.html]",
    ]
    assert message.html == ""
    assert [f.name for f in message.files] == ["text.txt", "message.html"]
    assert [(await blobs.get(f.sha256)).decode() for f in message.files] == [text, html]


async def test_message_with_endless_fields_goes_to_the_quarantine(inlet, transport):
    parsing(inlet, fields=(("f", "x" * MESSAGE_BYTES),))
    id_ = await inlet.accept(item("x"))
    unreadable = only(transport)
    assert isinstance(unreadable, InboundUnreadable)
    assert unreadable.id == id_ == inbound_id(CHANNEL.id, "x")
    assert unreadable.reason.startswith("too large")
    assert unreadable.raw.data == b"x"


async def test_nothing_is_confirmed_while_the_transport_is_down(inlet, transport):
    transport.down = True
    with pytest.raises(TransportUnavailable):
        await inlet.accept(item("a@b.c|x"))


async def test_nothing_is_published_when_the_disk_is_full(inlet, transport, blobs, monkeypatch):
    def full(data, spared_seconds):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(blobs, "put_now", full)
    with pytest.raises(OSError, match="no space"):
        await inlet.accept(item("a@b.c|" + "x" * 70_000))
    assert transport.records[topics.INBOUND] == []


async def test_receiver_may_tell_and_accept_without_a_write_for_each(inlet, database):
    written = []
    inlet._health._database = SimpleNamespace(write=_counting(written))
    for _ in range(100):
        await inlet.accept(item("a@b.c|x"))
        inlet.report(lag=3, problem="slow")
    await inlet._health.write()
    await inlet._health.write()
    assert len(written) == 1


async def test_the_lag_of_a_channel_is_in_the_metrics_while_it_is_read(inlet):
    labels = {"kind": CHANNEL.kind, "channel": str(CHANNEL.id), "name": CHANNEL.name}
    inlet.report(lag=3)
    inlet.report(problem="slow")
    assert REGISTRY.get_sample_value("okno_ingest_channel_lag_items", labels) == 3.0
    forget_lag(CHANNEL)
    forget_lag(CHANNEL)
    assert REGISTRY.get_sample_value("okno_ingest_channel_lag_items", labels) is None


def _counting(written):
    async def write(job):
        written.append(job)

    return write
