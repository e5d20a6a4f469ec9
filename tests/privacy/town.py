"""A small Okno in one process, with two customers who have used every channel; what one of them said is planted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from services.house import House, open_house
from services.ingest.fetch_queue import FetchQueue
from services.outbound.main import Outbound
from services.privacy.main import stores_of
from services.privacy.readers import READERS
from services.privacy.stores import Stores
from services.projector.main import Projector
from shared.clock import now
from shared.connector import Channel, Sent
from shared.contracts import topics
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import (
    About,
    Address,
    DeliveryNotice,
    Edited,
    FileRef,
    InboundMessage,
    Reacted,
    RemoteFile,
    inbound_id,
)
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store.log import head, read_log
from shared.kafka_servers import KafkaServers
from shared.read_models import live, timeline
from shared.settings import Settings
from shared.transport.protocol import Outgoing
from shared.transport.sealed import SealedTransport
from tests.examples import call_report, inbound, outgoing, raw, unreadable
from tests.services.fakes import KEY, add_channel, lines_kind, loader
from tests.services.projector.running import running

OLGA = e.Actor("operator", str(uuid4()), "Olga")


@dataclass
class Person:
    """Somebody with words that nobody else uses."""

    mark: str
    texts: dict[str, str] = field(default_factory=dict)

    def say(self, what: str) -> str:
        return self.texts.setdefault(what, f"{what}-{self.mark}")

    def id(self, what: str) -> str:
        """Return an id that has nothing of the words themselves."""
        return self.texts.setdefault(f"id of {what}", hashlib.sha256(f"{what}{self.mark}".encode()).hexdigest()[:20])

    @property
    def name(self) -> str:
        return self.texts.setdefault("name", f"Любовь {self.mark}ова")

    @property
    def email(self) -> str:
        return self.texts.setdefault("email", f"{self.mark.lower()}@lubov.example")

    @property
    def phone(self) -> str:
        digits = str(int(hashlib.sha256(self.mark.encode()).hexdigest(), 16))[:9]
        return self.texts.setdefault("phone", f"+79{digits}")

    @property
    def telegram(self) -> str:
        digits = str(int(hashlib.sha256(self.mark[::-1].encode()).hexdigest(), 16))[:11]
        return self.texts.setdefault("telegram", f"7{digits}")


@dataclass
class Town:
    """Its house and what runs in it."""

    house: House
    transport: SealedTransport
    channels: dict[str, Channel]
    sent: list[OutboundReply]
    published: int = 0

    async def publish(self, *contracts: Any) -> None:
        records = [outgoing(contract, f"email:{uuid4()}") for contract in contracts]
        for record in records:
            await self.transport.publisher().publish(topics.INBOUND, record)
        self.published += len(records)
        await self.settle()

    async def settle(self) -> None:
        """Wait until everything has been taken in, sent, told and shown."""

        async def quiet() -> bool:
            if not (await self._all_is_read() and await self.house.database.read(_is_shown)):  # in this order
                return False
            open_ = "SELECT count(*) FROM deliveries WHERE announced = 0"
            replies = (
                "SELECT count(*) FROM timeline t WHERE t.body LIKE '%queued%' AND NOT EXISTS"
                " (SELECT 1 FROM timeline_changes c WHERE c.message_id = t.id AND c.kind = 'delivery')"
            )
            waiting = [await self.house.database.read(partial(_count, sql=sql)) for sql in (open_, replies)]
            return waiting == [0, 0]

        async with asyncio.timeout(120):
            while not await quiet():  # noqa: ASYNC110 (other tasks and servers work)
                await asyncio.sleep(0.1 if self.house.settings.kafka else 0.01)

    async def _all_is_read(self) -> bool:
        """Kafka takes a new connection for every question; its offsets count, so the database can be asked instead."""
        if self.house.settings.kafka:
            which = "application_name LIKE 'okno.inbound/%'"
            sql = f"SELECT COALESCE(SUM(notification_id + 1), 0) FROM tracking WHERE {which}"
            return await self.house.database.read(partial(_count, sql=sql)) == self.published
        for topic, group, in_log in READERS[:3]:
            ends = await self.transport.ends(topic)
            done = await self.house.store.positions(list(ends)) if in_log else await self.transport.done(topic, group)
            if any(done.get(source, -1) < end for source, end in ends.items()):
                return False
        return True

    def item(self, who: Person, channel: str, what: str, **more: Any) -> InboundMessage:
        text = who.say(what)
        made = inbound(
            text,
            sender=who.email,
            name=who.name,
            channel_id=self.channels[channel].id,
            channel_kind=channel,
            external_id=f"<{who.id(what)}@lubov.example>",
            subject=who.say("subject-" + what),
            occurred_at=now(),
            received_at=now(),
            raw=raw(f"raw {who.say('raw-' + what)} {text}".encode()),
        )
        return replace(made, **more)

    async def live_through(self, who: Person) -> UUID:
        """Let somebody use every channel, and an operator answer; return the customer."""
        house = self.house
        attached = f"attached {who.say('attachment')} ".encode() * 9000
        attachment = await house.blobs.put(attached)
        large = f"{who.say('large-raw')} ".encode() * 9000
        vouched = (Address("phone", who.phone, who.name), Address("telegram", who.telegram, who.name))
        mail = self.item(
            who, "email", "mail", html=f"<p>{who.say('html')}</p>", full_text=who.say("quoted"),
            files=(FileRef(attachment, len(attached), who.say("file.pdf"), "application/pdf"),),
            raw=replace(raw(large), sha256=await house.blobs.put(large), data=None), vouched=vouched,
            topic=who.say("topic"),
        )  # fmt: skip
        await self.publish(mail)
        form = self.item(who, "web_form", "form", fields=(("about", who.say("field")),), kind="form")
        chat = Address("telegram", who.telegram, who.name)
        photographed = f"photographed {who.say('photograph')} ".encode() * 9000
        photo = FileRef(
            await house.blobs.put(photographed), len(photographed), who.say("photo.jpg"), "image/jpeg"
        )  # fmt: skip
        written = self.item(
            who, "telegram", "chat", sender=chat, thread_key=who.telegram, external_id=f"{who.telegram}:1",
            files=(photo,),
        )  # fmt: skip
        edited = self.item(
            who, "telegram", "edit", sender=chat, thread_key=who.telegram, external_id=f"{who.telegram}:1e",
            about=About(edited=Edited(f"{who.telegram}:1")),
        )  # fmt: skip
        reacted = self.item(
            who, "telegram", "react", sender=chat, thread_key=who.telegram, external_id=f"{who.telegram}:1r",
            about=About(reacted=Reacted(f"{who.telegram}:1", ("👍",))),
        )  # fmt: skip
        await self.publish(form, written, edited, reacted)
        await self._call(who)
        await self._quarantine(who)
        await self._answer(who, mail)
        garbage = Outgoing("k", f"garbage of {who.email} {who.say('garbage')}".encode(), {})
        await self.transport.publisher().publish(topics.INBOUND, garbage)
        self.published += 1
        await self.settle()
        return await self.customer_of(who)

    async def customer_of(self, who: Person) -> UUID:
        find = "SELECT id FROM customers WHERE address = ?"
        found = await self.house.database.read(lambda tx: tx.rows(find, (who.email,)))
        assert len(found) == 1
        return UUID(found[0][0])

    async def _call(self, who: Person) -> None:
        channel = self.channels["telephony"]
        call_id = who.say("call-id")
        report = call_report("finished", call_id, who.phone, talking_seconds=61, waiting_seconds=7)
        remote = RemoteFile(f"https://pbx.example/{who.say('recording-ref')}.mp3", who.say("rec.mp3"), "audio/mpeg")
        report = replace(
            report, channel_id=channel.id, id=inbound_id(channel.id, call_id + "/1"), remote_files=(remote,),
            raw=raw(who.say("call-raw").encode()), received_at=now(), occurred_at=now(),
        )  # fmt: skip
        queue = FetchQueue(self.house.database)
        await queue.hold(report)
        await self.publish(report)
        await queue.release(report.id)
        sound = f"recorded {who.say('recording')} ".encode() * 9000
        kept = FileRef(await self.house.blobs.put(sound), len(sound), who.say("rec.mp3"), "audio/mpeg")
        id_ = fetch_id(report.id, remote.ref)
        await self.publish(FileFetched(id_, report.id, channel.id, remote.ref, kept, now()))

    async def _quarantine(self, who: Person) -> None:
        channel = self.channels["email"]
        data = f"unreadable {who.say('unreadable')}".encode()
        item = unreadable(data, who.say("uid"), reason=who.say("why"), channel_id=channel.id)
        item = replace(item, id=inbound_id(channel.id, f"q-{who.mark}"), received_at=now())
        await self.publish(item)
        understood = self.item(who, "email", "understood", id=item.id)
        await self.publish(understood)

    async def _answer(self, who: Person, mail: InboundMessage) -> None:
        store = self.house.store
        (conversation,) = await self.house.database.read(
            lambda tx: tx.rows("SELECT conversation_id FROM routing_seen WHERE id = ?", (str(mail.id),))
        )
        id_ = UUID(conversation[0])
        enclosed = f"enclosed {who.say('enclosure')}".encode() * 5000
        file = e.File(await self.house.blobs.put(enclosed), len(enclosed), who.say("offer.pdf"), "application/pdf")
        reply_id = uuid4()
        await store.handle(id_, c.RequestReply(reply_id, who.say("reply"), (file,)), OLGA)
        await store.handle(id_, c.AddNote(uuid4(), who.say("note")), OLGA)
        state = await store.conversation(id_)
        assert state.customer_id
        step = c.PlanStep(
            uuid4(), state.customer_id, id_, who.say("step"), now() + timedelta(days=1), None, who.say("step-note")
        )
        await store.handle_step(step.step_id, step, OLGA)
        await self.settle()
        told = DeliveryNotice(
            (f"<{reply_id}@okno>",), "bounced", who.email, "5.1.1", who.say("bounce"), "user_unknown", True
        )
        await self.publish(self.item(who, "email", "dsn", nature="bounce", about=About(delivery=told)))

    # --- reading --------------------------------------------------------------------------------------------

    async def timeline(self, customer_id: UUID) -> list[dict[str, Any]]:
        page = timeline.Page(limit=10_000)
        return await self.house.database.read(partial(timeline.of_customer, customer_id=customer_id, page=page))

    async def log(self) -> list[e.Recorded]:
        return await self.house.database.read(lambda tx: read_log(tx, 0, 100_000))

    def stores(self) -> Stores:
        return replace(stores_of(self.house, self.transport), settle=timedelta(0), spared=timedelta(0))


def _is_shown(tx: Transaction) -> bool:
    return head(tx) <= live.position(tx)


def _count(tx: Transaction, sql: str) -> int:
    return int(tx.rows(sql)[0][0])


class Provider:
    def __init__(self, sent: list[OutboundReply]) -> None:
        self._sent = sent

    async def send(self, said: OutboundReply) -> Sent:
        self._sent.append(said)
        return Sent(f"<{said.id}@okno>")

    async def close(self) -> None: ...


def settings_of(folder: Path, url: str = "", kafka: str = "") -> Settings:
    keys = f"sqlite:///{folder / 'keys.db'}"
    servers = KafkaServers(kafka) if kafka else None
    return Settings(folder, url or f"sqlite:///{folder / 'okno.db'}", servers, str(folder / "blobs"), KEY, "", keys)


@asynccontextmanager
async def town(settings: Settings, channels: dict[str, Channel] | None = None) -> AsyncIterator[Town]:
    """Open a house and run what takes in, sends and shows; not what erases."""
    sent: list[OutboundReply] = []
    house = open_house(settings)
    transport = house.transport()
    await transport.start()
    kinds = [lines_kind(kind) for kind in ("email", "web_form", "telegram", "telephony")]
    for kind in kinds:
        kind.modules["send"] = SimpleNamespace(sender=lambda channel, read_file: Provider(sent))
    found = channels or {kind.name: await add_channel(house.database, kind.name) for kind in kinds}
    projector = Projector(house.database, transport, house.store, embedded=settings.embedded)
    outbound = Outbound(settings, house.database, transport, house.registry, house.blobs, load=loader(*kinds))
    await outbound.start()
    try:
        async with running(projector.run(), outbound.run()):
            yield Town(house, transport, found, sent)
    finally:
        await outbound.stop()
        await transport.close()
        await house.close()
        await asyncio.sleep(0)


__all__ = ["OLGA", "Person", "Refused", "Town", "settings_of", "town"]
