"""Which fields of which event are personal: those are sealed with the customer's key, the rest is stored plain.

Ids, times, numbers, yes/no and fixed words are plain by their type. Every other field is named here, as plain, as
personal, or with what is left of it when its key is gone; one that is named nowhere is treated as personal.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union
from uuid import UUID

import msgspec

from shared.domain import events as e
from shared.domain.next_step import CALL_BACK

Pseudonym = Callable[[str], str]
Reduce = Callable[[Any, Pseudonym], Any]
"""What is left of a value that is there; a pseudonym stands for a text of which only the sameness matters."""
_PLAIN_TYPES = (UUID, datetime, int, float, bool)


@dataclass(frozen=True, slots=True)
class Classes:
    """The fields of one event, separated by spaces; `left` says what stays of those that hold both."""

    plain: str = ""
    personal: str = ""
    left: Mapping[str, Reduce] = field(default_factory=dict)


# --- what is left of values -------------------------------------------------------------------------------


def _address(address: e.Address, _: Pseudonym) -> e.Address:
    return _nobodys(address.kind)


@cache
def _nobodys(kind: str) -> e.Address:
    return e.Address(kind, "")


def _addresses(addresses: tuple[e.Address, ...], pseudonym: Pseudonym) -> tuple[e.Address, ...]:
    return tuple(_address(address, pseudonym) for address in addresses)


def _raw(raw: e.Raw, _: Pseudonym) -> e.Raw:
    return e.Raw("", raw.size, raw.media_type)


def _file(file: e.File, _: Pseudonym) -> e.File:
    return e.File("", file.size, "", file.media_type)


def _files(files: tuple[e.File, ...], pseudonym: Pseudonym) -> tuple[e.File, ...]:
    return tuple(_file(file, pseudonym) for file in files)


def _ref(ref: str, pseudonym: Pseudonym) -> str:
    return pseudonym(ref)


def _remote_files(files: tuple[e.RemoteFile, ...], pseudonym: Pseudonym) -> tuple[e.RemoteFile, ...]:
    return tuple(e.RemoteFile(pseudonym(file.ref), "", file.media_type, file.size) for file in files)


def _call(call: e.Call, pseudonym: Pseudonym) -> e.Call:
    """Times, durations and states stay; who talked does not."""
    legs = tuple(replace(leg, id=pseudonym(leg.id), to="", transferred_from="") for leg in call.legs)
    return replace(call, from_="", to="", answered_by="", recording="", legs=legs)


def _changes(changes: tuple[e.FieldChange, ...], _: Pseudonym) -> tuple[e.FieldChange, ...]:
    return tuple(e.FieldChange(change.field, (), ()) for change in changes)


def _consent(consent: e.Consent, _: Pseudonym) -> e.Consent:
    return e.Consent(consent.state, "", consent.at, "")


def _reasons(reasons: tuple[e.Reason, ...], _: Pseudonym) -> tuple[e.Reason, ...]:
    return tuple(replace(reason, address="") for reason in reasons)


def _notice(notice: e.DeliveryNotice, _: Pseudonym) -> e.DeliveryNotice:
    return e.DeliveryNotice((), notice.state, code=notice.code, reason=notice.reason, hard=notice.hard)


def _message(message: e.MessageReceived, pseudonym: Pseudonym) -> e.MessageReceived:
    """A message within another event is left as it would be by itself."""
    left: dict[str, Any] = {name: blank(hints(e.MessageReceived)[name]) for name in _personal_with_default()}
    for name, reduce in CLASSES[e.MessageReceived].left.items():
        value = getattr(message, name)
        left[name] = reduce(value, pseudonym) if value else value
    return replace(message, **left)


def _step(what: str, _: Pseudonym) -> str:
    return what if what == CALL_BACK else ""


# --- the table --------------------------------------------------------------------------------------------

_NOTICE = Classes(plain="code reason", personal="recipient error")
_CONSENT = Classes(plain="channel", personal="text how", left={"before": _consent})
_STEP = Classes(personal="note", left={"what": _step})
CLASSES: dict[type, Classes] = {
    e.CustomerRegistered: Classes(personal="name", left={"address": _address}),
    e.IdentityLinked: Classes(left={"address": _address}),
    e.CustomerErased: Classes(plain="reason"),
    e.CardChanged: Classes(plain="emptied", left={"changes": _changes}),
    e.ConsentGiven: _CONSENT,
    e.ConsentWithdrawn: _CONSENT,
    e.CustomerRetired: Classes(),
    e.CustomerRestored: Classes(),
    e.OwnFieldDefined: Classes(plain="key label choices"),
    e.OwnFieldRemoved: Classes(plain="key"),
    e.ImportStarted: Classes(plain="file sha256 columns country"),
    e.ImportAdvanced: Classes(),
    e.ImportFinished: Classes(),
    e.ImportUndoStarted: Classes(),
    e.ImportUndone: Classes(),
    e.CustomersMerged: Classes(),
    e.MemberJoined: Classes(),
    e.CustomerUnmerged: Classes(),
    e.MemberLeft: Classes(),
    e.MergeSuggested: Classes(left={"reasons": _reasons}),
    e.MergeRefused: Classes(),
    e.ConversationMerged: Classes(personal="threads"),
    e.ConversationUnmerged: Classes(personal="threads"),
    e.EchoReceived: Classes(personal="external_id known_as"),
    e.ReportHeld: Classes(left={"call": _call, "files": _remote_files}),
    e.FileHeld: Classes(personal="reason", left={"ref": _ref, "file": _file}),
    e.RecordingHeard: Classes(personal="name"),
    e.ConversationOpened: Classes(plain="channel_kind", personal="subject reason thread_key"),
    e.MessageReceived: Classes(
        plain="channel_kind warnings",
        personal=(
            "external_id joined_because subject text full_text html recipients cannot_reply refers_to known_as"
            " thread_key fields claimed proves topic"
        ),
        left={
            "sender": _address,
            "reply_to": _address,
            "raw": _raw,
            "call": _call,
            "files": _files,
            "about": _notice,
        },
    ),
    e.MessageExtended: Classes(left={"message": _message}),
    e.CallProgressed: Classes(left={"call": _call}),
    e.ReplyRequested: Classes(
        personal="subject text in_reply_to references thread_key target signature",
        left={"to": _addresses, "cc": _addresses, "bcc": _addresses, "files": _files},
    ),
    e.ActionRequested: Classes(personal="target text thread_key operator_address", left={"to": _addresses}),
    e.ReplyRetried: Classes(),
    e.ReplySent: Classes(personal="external_id known_as"),
    e.ReplyFailed: Classes(plain="code", personal="error"),
    e.ReplyFateUnknown: Classes(plain="code", personal="error"),
    e.ReplyDelivered: _NOTICE,
    e.ReplyRead: _NOTICE,
    e.ReplyDelayed: _NOTICE,
    e.ReplyBounced: _NOTICE,
    e.ReplyComplained: _NOTICE,
    e.MessageEdited: Classes(
        personal="external_id text full_text html", left={"sender": _address, "files": _files, "raw": _raw}
    ),
    e.MessageDeleted: Classes(left={"raw": _raw}),
    e.MessageReacted: Classes(personal="reactions", left={"raw": _raw}),
    e.FilesAnnounced: Classes(left={"files": _remote_files}),
    e.FileArrived: Classes(left={"ref": _ref, "file": _file}),
    e.FileMissing: Classes(personal="reason", left={"ref": _ref}),
    e.CustomerReachChanged: Classes(personal="reason", left={"raw": _raw}),
    e.ThreadRenamed: Classes(personal="was now", left={"raw": _raw}),
    e.MessageMoved: Classes(personal="known_as", left={"left": _message}),
    e.MessageAdopted: Classes(left={"message": _message}),
    e.NoteAdded: Classes(personal="text"),
    e.ConversationAssigned: Classes(plain="operator_name"),
    e.ConversationSnoozed: Classes(),
    e.ConversationReopened: Classes(),
    e.ConversationClosed: Classes(),
    e.ConversationTagged: Classes(plain="added removed"),
    e.StepPlanned: _STEP,
    e.StepDone: _STEP,
    e.StepPostponed: Classes(left={"what": _step}),
    e.StepDeclined: _STEP,
    e.InboundQuarantined: Classes(
        plain="channel_kind", personal="external_id reason context", left={"raw": _raw}
    ),
    e.QuarantineRetried: Classes(),
    e.QuarantineResolved: Classes(),
}  # fmt: skip


# --- reading it -------------------------------------------------------------------------------------------


@cache
def hints(event: type) -> dict[str, Any]:
    return typing.get_type_hints(event)


def is_plain_type(kind: Any) -> bool:
    """Return whether values of a type tell nothing of a person: ids, times, numbers, yes/no, fixed words."""
    if kind in _PLAIN_TYPES or kind is NoneType:
        return True
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return True
    if origin in (Union, UnionType, tuple):
        return all(is_plain_type(part) for part in parts if part is not Ellipsis)
    return False


def personal_fields(event: type) -> list[Field[Any]]:
    """Return the fields that are sealed as a whole, of which nothing is left."""
    classes = CLASSES.get(event, Classes())
    known = {*classes.plain.split(), *classes.left}
    return [each for each in fields(event) if each.name not in known and not is_plain_type(hints(event)[each.name])]


def has_default(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


def blank(kind: Any) -> Any:
    """Return an empty value of a type."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, UnionType):
        return None if NoneType in parts else blank(parts[0])
    if origin is Literal:
        return parts[0]
    if kind is str or kind is bytes:
        return kind()
    if kind is UUID:
        return UUID(int=0)
    if kind in (int, float, bool):
        return kind()
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**{each.name: blank(hints(kind)[each.name]) for each in fields(kind) if not has_default(each)})
    if origin is tuple or kind is tuple:
        return ()
    return msgspec.convert({}, kind)


@cache
def _personal_with_default() -> tuple[str, ...]:
    return tuple(each.name for each in personal_fields(e.MessageReceived))
