"""PURE: what a message says, in words: its text, or what its other contents would be called. Nothing raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shared.channels.telegram.files import remote_files
from shared.channels.telegram.formatted import to_html
from shared.channels.telegram.view import Json, obj, objs, person, text, whole
from shared.contracts.inbound import RemoteFile

UNSUPPORTED = "[unsupported message]"
_RICH_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Content:
    text: str
    html: str
    quoted: str
    """What is being answered, as a quotation."""
    fields: tuple[tuple[str, str], ...]
    files: tuple[RemoteFile, ...]
    is_service: bool = False
    """Told by Telegram itself, not said by anybody."""


def content(message: Json) -> Content:
    """Return what the message says; what no rule knows is called unsupported."""
    name = "text" if text(message, "text") else "caption"
    said = text(message, name)
    html = to_html(said, objs(message, "entities" if name == "text" else "caption_entities"))
    files = remote_files(message)
    described = _described(message, _DESCRIBED)
    service = _described(message, _SERVICE)
    lines = [said, *described] if said or described or files else service
    whole_text = "\n".join(line for line in lines if line)
    return Content(
        text=whole_text or ("" if files else UNSUPPORTED),
        html=html if whole_text == said else "",
        quoted=_quoted(message),
        fields=_fields(message),
        files=files,
        is_service=bool(service) and not (said or described or files),
    )


def own_phone(message: Json) -> str:
    """Return the number in a contact card if it is the sender's own, in E.164; else nothing."""
    contact = obj(message, "contact")
    sender = whole(obj(message, "from"), "id")
    if not sender or whole(contact, "user_id") != sender or obj(message, "forward_origin"):
        return ""
    digits = re.sub(r"\D", "", text(contact, "phone_number"))
    return f"+{digits}" if 7 <= len(digits) <= 15 and digits.isascii() else ""


def _described(message: Json, rules: dict[str, Callable[[Json], str]]) -> list[str]:
    found = [describe(message) for kind, describe in rules.items() if kind in message]
    return [words for words in found if words]


def _quoted(message: Json) -> str:
    quote = text(obj(message, "quote"), "text")
    external = obj(message, "external_reply")
    if external and not quote:
        quote = f"[a message of {_origin(obj(external, 'origin')) or 'another chat'}]"
    return "\n".join(f"> {line}" for line in quote.splitlines())


def _fields(message: Json) -> tuple[tuple[str, str], ...]:
    origin = obj(message, "forward_origin")
    forwarded = _origin(origin) or person(obj(message, "forward_from")) or person(obj(message, "forward_from_chat"))
    location = obj(message, "location") or obj(obj(message, "venue"), "location")
    found = [
        ("Forwarded from", forwarded),
        ("Via", person(obj(message, "via_bot"))),
        ("Signed by", text(message, "author_signature")),
        ("Location", _coordinates(location)),
        ("Topic", text(obj(message, "direct_messages_topic"), "title")),
    ]
    return tuple((name, value) for name, value in found if value)


def _origin(origin: Json) -> str:
    who = obj(origin, "sender_user") or obj(origin, "sender_chat") or obj(origin, "chat")
    return person(who) or text(origin, "sender_user_name") or text(origin, "author_signature")


# --- what is not text -------------------------------------------------------------------------------------


def _coordinates(location: Json) -> str:
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if not (isinstance(latitude, int | float) and isinstance(longitude, int | float)):
        return ""
    return f"{latitude:.6f}, {longitude:.6f}" if abs(latitude) <= 180 and abs(longitude) <= 180 else ""


def _location(message: Json) -> str:
    if "venue" in message:
        return ""
    live = "Live location" if whole(obj(message, "location"), "live_period") else "Location"
    return f"{live}: {_coordinates(obj(message, 'location'))}"


def _venue(message: Json) -> str:
    venue = obj(message, "venue")
    return f"Place: {text(venue, 'title')}, {text(venue, 'address')}"


def _contact(message: Json) -> str:
    contact = obj(message, "contact")
    return f"Contact: {person(contact)} {text(contact, 'phone_number')}".replace("  ", " ")


def _poll(message: Json) -> str:
    return poll_words(obj(message, "poll"))


def poll_words(poll: Json) -> str:
    options = [
        f"- {text(option, 'text')}" + (f" ({whole(option, 'voter_count')})" if whole(option, "voter_count") else "")
        for option in objs(poll, "options")
    ]
    return "\n".join([f"Poll: {text(poll, 'question')}", *options])


def _dice(message: Json) -> str:
    dice = obj(message, "dice")
    return f"{text(dice, 'emoji') or 'Dice'} {whole(dice, 'value')}"


def _sticker(message: Json) -> str:
    return f"Sticker {text(obj(message, 'sticker'), 'emoji')}".strip()


def _checklist(message: Json) -> str:
    checklist = obj(message, "checklist")
    tasks = [f"- {text(task, 'text')}" for task in objs(checklist, "tasks")]
    return "\n".join([f"Checklist: {text(checklist, 'title')}", *tasks])


def _money(kind: str, words: str) -> Callable[[Json], str]:
    def told(message: Json) -> str:
        money = obj(message, kind)
        amount = f"{whole(money, 'total_amount') / 100:.2f} {text(money, 'currency')}"
        return f"{words}: {text(money, 'title') or text(money, 'invoice_payload')} {amount}".replace("  ", " ")

    return told


def _rich(message: Json) -> str:
    return "\n".join(_rich_lines(obj(message, "rich_message").get("blocks"), 0)).strip()


def _rich_lines(part: object, depth: int) -> list[str]:
    """The words of formatted blocks, one line for each; how they were laid out stays in the raw bytes."""
    match part:
        case str():
            return [part.encode(errors="replace").decode()]
        case list() if depth < _RICH_DEPTH:
            if all(isinstance(each, str) or (isinstance(each, dict) and "text" in each) for each in part) and depth:
                return ["".join(word for each in part for word in _rich_lines(each, depth + 1))]
            return [line for each in part for line in _rich_lines(each, depth + 1)]
        case dict() if depth < _RICH_DEPTH:
            inner = ("title", "summary", "text", "blocks", "items", "cells", "caption", "credit")
            return [line for name in inner if name in part for line in _rich_lines(part[name], depth + 1)]
        case _:
            return []


def _says(words: str) -> Callable[[Json], str]:
    return lambda message: words


def _names(kind: str, words: str) -> Callable[[Json], str]:
    def told(message: Json) -> str:
        people = objs(message, kind) or [obj(message, kind)]
        return f"{words}: {', '.join(filter(None, map(person, people)))}".removesuffix(": ")

    return told


_DESCRIBED: dict[str, Callable[[Json], str]] = {
    "rich_message": _rich,
    "location": _location,
    "venue": _venue,
    "contact": _contact,
    "poll": _poll,
    "dice": _dice,
    "sticker": _sticker,
    "checklist": _checklist,
    "story": _says("[story]"),
    "reply_to_story": _says("[answers a story]"),
    "game": lambda message: f"Game: {text(obj(message, 'game'), 'title')}",
    "invoice": _money("invoice", "Invoice"),
    "paid_media": lambda message: f"Paid media for {whole(obj(message, 'paid_media'), 'star_count')} stars",
    "successful_payment": _money("successful_payment", "Payment received"),
    "refunded_payment": _money("refunded_payment", "Payment refunded"),
    "web_app_data": lambda message: f"Sent from the app: {text(obj(message, 'web_app_data'), 'data')}",
    "gift": _says("[gift]"),
    "unique_gift": _says("[gift]"),
    "giveaway": _says("[giveaway]"),
    "users_shared": _names("users_shared", "Shared users"),
    "user_shared": _says("Shared a user"),
    "chat_shared": _says("Shared a chat"),
    "passport_data": _says("[Telegram Passport data]"),
}
_SERVICE: dict[str, Callable[[Json], str]] = {
    "new_chat_members": _names("new_chat_members", "Joined"),
    "left_chat_member": _names("left_chat_member", "Left"),
    "new_chat_title": lambda message: f"The group is now called {text(message, 'new_chat_title')}",
    "new_chat_photo": _says("The group has a new photo"),
    "delete_chat_photo": _says("The group's photo was removed"),
    "group_chat_created": _says("The group was created"),
    "supergroup_chat_created": _says("The supergroup was created"),
    "channel_chat_created": _says("The channel was created"),
    "message_auto_delete_timer_changed": _says("The time after which messages vanish was changed"),
    "pinned_message": lambda message: f"Pinned: {text(obj(message, 'pinned_message'), 'text')}".removesuffix(": "),
    "connected_website": lambda message: f"Logged in at {text(message, 'connected_website')}",
    "write_access_allowed": _says("Allowed the bot to write"),
    "proximity_alert_triggered": _says("Came near"),
    "boost_added": _says("Boosted the chat"),
    "chat_background_set": _says("The chat has a new background"),
    "forum_topic_created": lambda m: f"Topic opened: {text(obj(m, 'forum_topic_created'), 'name')}",
    "forum_topic_edited": lambda m: f"Topic renamed: {text(obj(m, 'forum_topic_edited'), 'name')}".removesuffix(": "),
    "forum_topic_closed": _says("Topic closed"),
    "forum_topic_reopened": _says("Topic opened again"),
    "general_forum_topic_hidden": _says("General topic hidden"),
    "general_forum_topic_unhidden": _says("General topic shown"),
    "giveaway_created": _says("Giveaway begun"),
    "giveaway_winners": _says("Giveaway ended"),
    "giveaway_completed": _says("Giveaway ended"),
    "checklist_tasks_done": _says("Checklist: tasks done or not done"),
    "checklist_tasks_added": _says("Checklist: tasks added"),
    "video_chat_scheduled": _says("Video chat planned"),
    "video_chat_started": _says("Video chat begun"),
    "video_chat_ended": _says("Video chat ended"),
    "video_chat_participants_invited": _says("Invited to the video chat"),
    "suggested_post_approved": _says("The suggested post was approved"),
    "suggested_post_approval_failed": _says("The suggested post could not be approved"),
    "suggested_post_declined": _says("The suggested post was declined"),
    "suggested_post_paid": _says("The suggested post was paid"),
    "suggested_post_refunded": _says("The suggested post was refunded"),
    "paid_message_price_changed": _says("The price of messages was changed"),
    "direct_message_price_changed": _says("The price of direct messages was changed"),
    "chat_owner_left": _says("The owner left the chat"),
    "chat_owner_changed": _says("The chat has a new owner"),
    "gift_upgrade_sent": _says("[gift]"),
    "managed_bot_created": _says("A bot was created"),
    "poll_option_added": _says("An option was added to the poll"),
    "poll_option_deleted": _says("An option was taken from the poll"),
    "migrate_to_chat_id": _says("The group became a supergroup"),
    "migrate_from_chat_id": _says("The group became a supergroup"),
}
