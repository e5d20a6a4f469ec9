"""Example data of the tests: readable defaults and fresh ids; a test gives only what it is about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from shared.clock import now
from shared.contracts import codec
from shared.contracts.delivery import DeliveryReport
from shared.contracts.inbound import Address, Call, InboundMessage, InboundUnreadable, Raw, inbound_id
from shared.domain import events as e
from shared.event_store.mapper import About
from shared.transport.protocol import Outgoing

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MAILBOX = UUID(int=0xA1)
FORM = UUID(int=0xA2)
LINE = UUID(int=0xA3)
CONVERSATION = UUID(int=0xC1)
CUSTOMER = UUID(int=0xC2)
MESSAGE = UUID(int=0xC3)
CALL = UUID(int=0xCA)
OLGA = e.Actor("operator", str(UUID(int=0xE1)), "Olga")
SYSTEM = e.Actor("system")
RAW = e.Raw("ab" * 32, 10, "message/rfc822")
ANNA = e.Address("email", "anna@example.com", "Anna")


@dataclass
class Clock:
    """Stands still until told otherwise."""

    at: datetime = field(default_factory=now)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


# --- what comes in ----------------------------------------------------------------------------------------


def raw(data: bytes) -> Raw:
    return Raw(hashlib.sha256(data).hexdigest(), len(data), "message/rfc822", data)


def external_id() -> str:
    return f"<{uuid4().hex}@example.com>"


def inbound(text: str = "Hello", sender: str = "anna@example.com", name: str = "Anna", **other: Any) -> InboundMessage:
    """A mail from Anna that begins a conversation."""
    channel, its_id = other.pop("channel_id", MAILBOX), other.pop("external_id", external_id())
    values = {
        "id": inbound_id(channel, its_id),
        "channel_kind": "email",
        "occurred_at": AT,
        "received_at": AT,
        "sender": Address("email", sender, name),
        "kind": "text",
        "direction": "inbound",
        "subject": "Question",
        "full_text": "",
        "html": "",
        "recipients": (),
        "reply_to": None,
        "reply_channel": None,
        "cannot_reply": "",
        "refers_to": (),
        "known_as": (its_id, *other.pop("known_as", ())),
        "thread_key": "",
        "fields": (),
        "call": None,
        "files": (),
        "identities": (),
        "raw": raw(text.encode()),
    }
    return InboundMessage(**values | {"channel_id": channel, "external_id": its_id, "text": text} | other)


def call_report(state: str, call_id: str = "call-1", phone: str = "+4915112345678", **facts: Any) -> InboundMessage:
    """What a telephone provider tells of a call; each report is an item of its own."""
    call = Call(state, "inbound", phone, "+4930123", **facts)
    item = inbound("", channel_id=LINE, channel_kind="telephony", external_id=call_id, kind="call", subject="")
    its_id, its_raw = inbound_id(LINE, f"{call_id}/{uuid4()}"), raw(state.encode())
    return replace(item, id=its_id, sender=Address("phone", phone), call=call, raw=its_raw, known_as=())


def unreadable(data: bytes = b"?", key: str = "7.1", **other: Any) -> InboundUnreadable:
    values = {
        "id": inbound_id(MAILBOX, key),
        "channel_id": MAILBOX,
        "channel_kind": "email",
        "external_id": key,
        "received_at": AT,
        "reason": "no headers",
        "context": {"folder": "INBOX"},
        "raw": raw(data),
    }
    return InboundUnreadable(**values | other)


def delivery_report(reply_id: UUID, conversation_id: UUID, state: str = "sent", **other: Any) -> DeliveryReport:
    values = {"channel_id": MAILBOX, "attempt": 1, "at": AT, "tries": 1}
    return DeliveryReport(reply_id=reply_id, conversation_id=conversation_id, state=state, **values | other)


def outgoing(contract: codec.Contract, key: str = "k") -> Outgoing:
    """The record of a contract as it stands on its topic."""
    encoded = codec.encode(contract, id=uuid4(), source="/test", at=AT)
    return Outgoing(key, encoded.value, encoded.headers)


# --- events -----------------------------------------------------------------------------------------------


def opened(conversation_id: UUID = CONVERSATION, customer_id: UUID = CUSTOMER) -> e.ConversationOpened:
    return e.ConversationOpened(conversation_id, customer_id, MAILBOX, "email", "Question", "first message of a thread")


def received(text: str = "Hello", **other: Any) -> e.MessageReceived:
    values = {
        "conversation_id": CONVERSATION,
        "customer_id": CUSTOMER,
        "message_id": uuid4(),
        "channel_id": MAILBOX,
        "channel_kind": "email",
        "external_id": external_id(),
        "kind": "text",
        "direction": "inbound",
        "sender": ANNA,
        "raw": RAW,
        "subject": "Question",
    }
    return e.MessageReceived(**values | {"text": text} | other)


def called(state: str, call_id: UUID = CALL, **facts: Any) -> e.MessageReceived:
    call = e.Call(state, facts.pop("direction", "inbound"), "+491511", "+4930", **facts)
    return received("", message_id=call_id, external_id="call-1", kind="call", call=call)


def requested(reply_id: UUID, answers: UUID = MESSAGE, **other: Any) -> e.ReplyRequested:
    values = {"channel_id": MAILBOX, "to": (ANNA,), "subject": "Question", "text": "Hello Anna"}
    return e.ReplyRequested(CONVERSATION, CUSTOMER, reply_id, answers, **values | other)


def sent(reply_id: UUID, attempt: int = 1, its_id: str = "<sent@okno>", **other: Any) -> e.ReplySent:
    return e.ReplySent(CONVERSATION, CUSTOMER, reply_id, MAILBOX, attempt, 1, its_id, **other)


def failed(reply_id: UUID, attempt: int = 1) -> e.ReplyFailed:
    return e.ReplyFailed(CONVERSATION, CUSTOMER, reply_id, attempt, 3, "unknown address", "550")


def about(actor: e.Actor = SYSTEM, at: datetime = AT, cause: UUID | None = None) -> About:
    return About(at, actor, cause)


def every_card_event() -> list[e.Event]:
    """One event of every kind about cards, own fields and imports, with every field filled."""
    import_id, said = uuid4(), e.Consent("withdrawn", "Пишите мне", AT, "by telephone")
    consent = (CUSTOMER, "email", "Я согласна", AT, "form", said, CONVERSATION)
    return [
        e.CardChanged(
            CUSTOMER,
            (e.FieldChange("tags", ("vip",), ("vip", "опт")),),
            import_id,
            7,
            True,
            ("notes",),
            (UUID(int=77),),
        ),
        e.ConsentGiven(*consent),
        e.ConsentWithdrawn(*consent),
        e.CustomerRetired(CUSTOMER, import_id),
        e.CustomerRestored(CUSTOMER, import_id),
        e.OwnFieldDefined("size", "Размер", "choice", ("S", "M")),
        e.OwnFieldRemoved("size"),
        e.ImportStarted(import_id, "клиенты.csv", "0f" * 32, (("Имя", "name"),), "RU"),
        e.ImportAdvanced(import_id, 200, 1, 2, 3, 4, 5),
        e.ImportFinished(import_id),
        e.ImportUndoStarted(import_id),
        e.ImportUndone(import_id, 1, 2, 3),
    ]


def every_event() -> list[e.Event]:
    """One event of every kind with every field filled."""
    head, reply, moment = (CONVERSATION, CUSTOMER), uuid4(), AT + timedelta(microseconds=7)
    file = e.File("cd" * 32, 5, "счёт.pdf", "application/pdf", "cid-1")
    call = e.Call("finished", "inbound", "+491511", "+4930", "Olga", 3, 60, "ef" * 32)
    message = received(
        "Привет 👋",
        joined_because="answers <a@b>",
        full_text="Привет 👋\n> раньше",
        html="<p>Привет</p>",
        recipients=("support@example.com",),
        reply_to=ANNA,
        reply_channel=FORM,
        cannot_reply="no address",
        refers_to=("<a@b>", "<c@d>"),
        known_as=("<e@f>",),
        thread_key="chat-1",
        fields=(("Имя", "Анна"), ("phone", "1")),
        call=call,
        files=(file,),
        claimed=(e.Address("phone", "+491511"),),
        nature="bounce",
        warnings=("dmarc_failed",),
        about=e.DeliveryNotice(
            ("<ours@okno>",), "bounced", "anna@example.com", "5.1.1", "no such user", "user_unknown", True
        ),
        edited_before=True,
        joined_score=80,
        proves=("<a@b>",),
        topic="question",
        same_as=(uuid4(),),
        part_id=uuid4(),
    )
    notice = (*head, reply, 2, "anna@example.com", "5.1.1", "no such user", "user_unknown", True)
    return [
        e.CustomerRegistered(CUSTOMER, "Анна", ANNA),
        e.IdentityLinked(CUSTOMER, e.Address("phone", "+491511", "Анна")),
        e.CustomerErased(CUSTOMER, uuid4(), "asked for it"),
        *every_card_event(),
        e.CustomersMerged(CUSTOMER, uuid4(), uuid4(), uuid4()),
        e.MemberJoined(CUSTOMER, uuid4(), uuid4(), uuid4()),
        e.CustomerUnmerged(CUSTOMER, uuid4(), uuid4(), uuid4()),
        e.MemberLeft(CUSTOMER, uuid4(), uuid4(), uuid4()),
        e.MergeSuggested(uuid4(), CUSTOMER, uuid4(), (e.Reason("claimed", "phone", "+491511", CUSTOMER, MESSAGE),)),
        e.MergeRefused(uuid4(), CUSTOMER, uuid4()),
        replace(opened(), thread_key="chat-1"),
        message,
        e.ReplyDelivered(*notice),
        e.ReplyRead(*notice),
        e.ReplyDelayed(*notice),
        e.ReplyBounced(*notice, earlier=True),
        e.ReplyComplained(*notice),
        e.MessageEdited(
            *head, uuid4(), uuid4(), MAILBOX, "7", ANNA, "Привет!", "Привет!\n> раньше", "<p>!</p>", (file,), False, RAW
        ),
        e.MessageDeleted(*head, uuid4(), MAILBOX, False, RAW),
        e.EchoReceived(*head, reply, uuid4(), MAILBOX, "7:16", ("7:17",)),
        e.MessageReacted(*head, uuid4(), MAILBOX, ("👍",), False, RAW),
        e.CustomerReachChanged(*head, MAILBOX, True, "blocked", RAW),
        e.ThreadRenamed(*head, MAILBOX, "-7", "-1007", RAW),
        e.FilesAnnounced(*head, uuid4(), uuid4(), (e.RemoteFile("f1", "голос.ogg", "audio/ogg", 7, "cid-2"),), True),
        e.FileArrived(*head, uuid4(), uuid4(), "f1", file),
        e.FileMissing(*head, uuid4(), uuid4(), "f1", "larger than 20 MB"),
        e.MessageMoved(*head, uuid4(), uuid4(), uuid4(), moment, ("<a@b>",), message, moment, True, moment),
        e.MessageAdopted(*head, message, uuid4(), moment, False),
        e.ConversationMerged(*head, uuid4(), CUSTOMER, ((MAILBOX, "chat-1"),), "snoozed"),
        e.ConversationUnmerged(*head, uuid4(), ((MAILBOX, "chat-1"),)),
        e.MessageExtended(*head, message),
        e.CallProgressed(*head, uuid4(), call),
        requested(
            reply,
            in_reply_to="<a@b>",
            references=("<c@d>", "<a@b>"),
            thread_key="chat-1",
            files=(file,),
            markup="markdown",
            cc=(ANNA,),
            bcc=(ANNA,),
            quotes=True,
            automatic=True,
            target="<a@b>",
            signature="{operator}",
        ),
        e.ActionRequested(
            *head, reply, "edit", MAILBOX, (ANNA,), MESSAGE, "7", "Hello *Anna*", "markdown", "chat-1", "+4930"
        ),
        e.ReplyRetried(*head, reply, 2, True, (1,)),
        sent(reply, known_as=("<other@okno>",)),
        replace(failed(reply), of_action=True),
        e.ReplyFateUnknown(*head, reply, 1, 1, "connection lost after DATA", "timeout"),
        e.NoteAdded(*head, uuid4(), "ask the boss"),
        e.ConversationAssigned(*head, uuid4(), "Olga"),
        e.ConversationSnoozed(*head, moment),
        e.ConversationReopened(*head, "time"),
        e.ConversationClosed(*head),
        e.ConversationTagged(*head, ("vip",), ("new",)),
        e.StepPlanned(uuid4(), CUSTOMER, CONVERSATION, "call_back", moment, uuid4(), "after lunch"),
        e.StepDone(uuid4(), CUSTOMER, CONVERSATION, "call_back", "called"),
        e.StepPostponed(uuid4(), CUSTOMER, CONVERSATION, "call_back", moment),
        e.StepDeclined(uuid4(), CUSTOMER, CONVERSATION, "call_back", "no need"),
        e.InboundQuarantined(uuid4(), MAILBOX, "email", "7.1", "no headers", RAW, (("folder", "INBOX"),)),
        e.QuarantineRetried(uuid4()),
        e.QuarantineResolved(uuid4(), CONVERSATION),
        e.ReportHeld(uuid4(), uuid4(), call, (e.RemoteFile("r1", "запись.mp3", "audio/mpeg", 7, "cid-3"),)),
        e.FileHeld(uuid4(), "r1", file, "deleted"),
        e.RecordingHeard(uuid4(), uuid4(), CUSTOMER, "запись.mp3"),
    ]
