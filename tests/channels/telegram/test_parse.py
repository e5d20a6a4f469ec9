"""What an update says: every kind that can reach a business, and whatever else somebody may put into one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.telegram import notices
from shared.contracts.inbound import (
    About,
    Address,
    Deleted,
    Edited,
    ReachChanged,
    Reacted,
    RemoteFile,
    ThreadRenamed,
)
from shared.parsed import Parsed, UnreadableItem
from tests.channels.telegram.bots import ANNA, AT, UNIX, message, read, told
from tests.peers.telegram import TOKEN
from tests.peers.telegram_api.bot import BOT_USERNAME

BOT_ID = int(TOKEN.partition(":")[0])
USER = {"id": 7, "is_bot": False, "first_name": "Анна"}
BOT = {"id": BOT_ID, "is_bot": True, "first_name": "Okno"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Анна"}
GROUP = {"id": -100500, "type": "supergroup", "title": "Ремонт"}
SAID = Parsed(external_id="7:15", sender=ANNA, occurred_at=AT, text="Здравствуйте", thread_key="7")


def update(kind: str, **body: Any) -> Parsed:
    return read({"update_id": 1, kind: body})


def in_group(**more: Any) -> dict[str, Any]:
    return message(chat=GROUP, **more)


def grouped(**more: Any) -> Parsed:
    return read({"update_id": 1, "message": in_group(**more)}, username=f"@{BOT_USERNAME}")


# --- messages ---------------------------------------------------------------------------------------------


def test_a_text():
    assert told(text="Здравствуйте") == SAID


def test_a_formatted_text_has_html_and_plain_text():
    entities = [
        {"type": "bold", "offset": 3, "length": 6},
        {"type": "text_link", "offset": 10, "length": 4, "url": "https://example.org/?a=1&b=2"},
        {"type": "mention", "offset": 0, "length": 2},
    ]
    parsed = told(text="🙂 важно тут\n<b>", entities=entities)
    link = '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">ут<br>&lt;</a>'
    assert (parsed.text, parsed.html) == ("🙂 важно тут\n<b>", f"🙂 <b>важно </b>т{link}b&gt;")


def test_a_text_without_formatting_has_no_html():
    assert told(text="a@b.ru", entities=[{"type": "email", "offset": 0, "length": 6}]).html == ""


FILES: dict[str, tuple[dict[str, Any], RemoteFile]] = {
    "photo": (
        {"photo": [{"file_id": "s", "width": 9, "height": 9}, {"file_id": "l", "width": 90, "height": 90}]},
        RemoteFile("l", "photo-15.jpg", "image/jpeg"),
    ),
    "document": (
        {
            "document": {
                "file_id": "d",
                "file_name": "../\u202eсчёт.pdf",
                "mime_type": "application/pdf",
                "file_size": 9,
            }
        },
        RemoteFile("d", "счёт.pdf", "application/pdf", 9),
    ),
    "video": ({"video": {"file_id": "v"}}, RemoteFile("v", "video-15.mp4", "video/mp4")),
    "animation": (
        {"animation": {"file_id": "a"}, "document": {"file_id": "a"}},
        RemoteFile("a", "document-15.bin", "application/octet-stream"),
    ),
    "voice": (
        {"voice": {"file_id": "o", "mime_type": "audio/ogg", "file_size": 5}},
        RemoteFile("o", "voice-15.ogg", "audio/ogg", 5),
    ),
    "audio": ({"audio": {"file_id": "m", "file_name": "a.mp3"}}, RemoteFile("m", "a.mp3", "audio/mpeg")),
    "video_note": ({"video_note": {"file_id": "n"}}, RemoteFile("n", "video_note-15.mp4", "video/mp4")),
    "sticker": (
        {"sticker": {"file_id": "s", "is_video": True, "emoji": "🔥"}},
        RemoteFile("s", "sticker-15.webm", "video/webm"),
    ),
    "paid media": (
        {"paid_media": {"star_count": 5, "paid_media": [{"type": "video", "video": {"file_id": "p"}}]}},
        RemoteFile("p", "video-15-0.mp4", "video/mp4"),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_to_be_fetched_and_its_caption_is_the_text(kind: str):
    content, file = FILES[kind]
    parsed = told(caption="Вот", **content)
    assert [each.ref for each in parsed.remote_files] == [file.ref]
    if kind != "animation":
        assert parsed.remote_files == (file,)
    assert parsed.text.startswith("Вот")
    assert parsed.nature == "ordinary"


def test_a_file_without_a_caption_says_nothing_but_is_no_unsupported_message():
    assert told(voice={"file_id": "v"}).text == ""


def test_the_parts_of_an_album_are_parts_of_one_message():
    parts = [told(message_id=n, photo=[{"file_id": f"{n}"}], media_group_id="77") for n in (15, 16)]
    assert [part.part_of for part in parts] == ["7/album/77"] * 2
    assert [part.external_id for part in parts] == ["7:15", "7:16"]


WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "location": ({"location": {"latitude": 55.75, "longitude": 37.61}}, "Location: 55.750000, 37.610000"),
    "live": (
        {"location": {"latitude": -1, "longitude": 2, "live_period": 60}},
        "Live location: -1.000000, 2.000000",
    ),
    "venue": (
        {
            "location": {"latitude": 1, "longitude": 2},
            "venue": {"title": "Кафе", "address": "Тверская 1", "location": {"latitude": 1, "longitude": 2}},
        },
        "Place: Кафе, Тверская 1",
    ),
    "contact": ({"contact": {"phone_number": "+79161234567", "first_name": "Пётр"}}, "Contact: Пётр +79161234567"),
    "poll": (
        {"poll": {"question": "Когда?", "options": [{"text": "Завтра", "voter_count": 2}, {"text": "Никогда"}]}},
        "Poll: Когда?\n- Завтра (2)\n- Никогда",
    ),
    "dice": ({"dice": {"emoji": "🎲", "value": 6}}, "🎲 6"),
    "sticker": ({"sticker": {"file_id": "s", "emoji": "🔥"}}, "Sticker 🔥"),
    "checklist": ({"checklist": {"title": "Дела", "tasks": [{"text": "Раз"}]}}, "Checklist: Дела\n- Раз"),
    "payment": (
        {"successful_payment": {"currency": "RUB", "total_amount": 12345, "invoice_payload": "x"}},
        "Payment received: x 123.45 RUB",
    ),
    "joined": ({"new_chat_members": [USER]}, "Joined: Анна"),
    "rich": (
        {"rich_message": {"blocks": [{"type": "paragraph", "text": ["Раз ", {"type": "bold", "text": "два"}]}]}},
        "Раз два",
    ),
    "something new": ({"hologram": {"x": 1}}, "[unsupported message]"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_what_is_not_text_is_told_in_words(kind: str):
    content, words = WORDS[kind]
    assert told(**content).text == words


def test_what_a_client_sent_waits_for_an_answer_even_if_it_is_unsupported():
    assert told(hologram={"x": 1}).nature == "ordinary"


def test_a_service_message_waits_for_no_answer():
    assert [told(pinned_message=message(text="x")).nature, told(text="x").nature] == ["automatic", "ordinary"]


def test_ones_own_contact_card_vouches_for_the_phone_number():
    own = {"phone_number": "7 (916) 123-45-67", "first_name": "Анна", "user_id": 7}
    assert told(contact=own).vouched == (Address("phone", "+79161234567", "Анна"),)


@pytest.mark.parametrize(
    "more",
    [
        {"contact": {"phone_number": "+79161234567", "first_name": "Пётр", "user_id": 8}},
        {"contact": {"phone_number": "+79161234567", "first_name": "Пётр"}},
        {"contact": {"phone_number": "нет", "first_name": "Анна", "user_id": 7}},
        {
            "contact": {"phone_number": "+79161234567", "first_name": "Анна", "user_id": 7},
            "forward_origin": {"type": "hidden_user", "sender_user_name": "X", "date": 1},
        },
        {"contact": {"phone_number": "+79161234567", "first_name": "Анна", "user_id": 7}, "chat": GROUP},
    ],
)
def test_any_other_contact_card_vouches_for_nothing(more: dict[str, Any]):
    assert told(**more).vouched == ()


def test_a_reply_refers_to_its_message_and_quotes_it():
    parsed = told(text="Да", reply_to_message=message(message_id=14), quote={"text": "в пять\nна углу", "position": 0})
    assert (parsed.refers_to, parsed.full_text) == (("7:14",), "> в пять\n> на углу\n\nДа")


def test_a_reply_to_another_chat_says_so():
    origin = {"type": "channel", "chat": {"id": -1, "title": "Новости"}, "message_id": 5, "date": 1}
    assert told(text="Да", external_reply={"origin": origin}).full_text == "> [a message of Новости]\n\nДа"


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"type": "user", "sender_user": USER, "date": 1}, "Анна"),
        ({"type": "hidden_user", "sender_user_name": "Тайный", "date": 1}, "Тайный"),
        ({"type": "chat", "sender_chat": GROUP, "date": 1}, "Ремонт"),
        ({"type": "channel", "chat": {"id": -1, "title": "Н", "username": "n"}, "date": 1}, "Н (@n)"),
    ],
)
def test_a_forwarded_message_says_where_it_is_from(origin: dict[str, Any], name: str):
    assert told(text="x", forward_origin=origin).fields == (("Forwarded from", name),)


# --- edits, reactions, buttons ----------------------------------------------------------------------------


def test_each_edit_is_a_new_version_of_its_message():
    versions = [update("edited_message", **message(text=text, edit_date=UNIX + 5)) for text in ("раз", "два")]
    at = datetime.fromtimestamp(UNIX + 5, UTC)
    for version, text in zip(versions, ("раз", "два"), strict=True):
        about = About(edited=Edited("7:15"))
        expected = replace(SAID, text=text, occurred_at=at, about=about, dedup_key=version.dedup_key)
        assert version == expected
    assert len({version.dedup_key for version in versions} | {"", "7:15"}) == 4


def test_the_same_edit_under_another_update_id_is_the_same():
    edit = {"edited_message": message(text="раз", edit_date=UNIX)}
    assert (
        read({"update_id": 1, **edit}).dedup_key
        == read({"edited_message": edit["edited_message"], "update_id": 2}).dedup_key
    )


def test_a_reaction_is_about_its_message():
    body = {"chat": PRIVATE, "message_id": 5, "user": USER, "date": UNIX, "old_reaction": []}
    reactions = [{"type": "emoji", "emoji": "👍"}, {"type": "custom_emoji", "custom_emoji_id": "1"}, {"type": "paid"}]
    parsed = update("message_reaction", **body, new_reaction=reactions)
    assert parsed.about == About(reacted=Reacted("7:5", ("👍", "custom emoji", "⭐")))
    assert (parsed.sender, parsed.thread_key, parsed.nature) == (ANNA, "7", "automatic")
    withdrawn = update("message_reaction", **body, new_reaction=[])
    assert withdrawn.about == About(reacted=Reacted("7:5", ()))
    assert withdrawn.external_id != parsed.external_id


def test_a_pressed_button_is_told_by_its_label():
    keyboard = {"inline_keyboard": [[{"text": "Да, завтра", "callback_data": "yes"}]]}
    original = message(**{"from": BOT}, text="Когда?", reply_markup=keyboard)
    parsed = update("callback_query", id="9", **{"from": USER}, message=original, data="yes", chat_instance="1")
    assert (parsed.text, parsed.fields) == ("Pressed: Да, завтра", (("Button", "yes"),))
    assert (parsed.refers_to, parsed.thread_key, parsed.nature) == (("7:15",), "7", "ordinary")
    assert parsed.sender == ANNA


@pytest.mark.parametrize(
    ("before", "after", "chat", "about"),
    [
        ("member", "kicked", PRIVATE, ReachChanged(False, "blocked the bot")),
        ("kicked", "member", PRIVATE, ReachChanged(True, "started or unblocked the bot")),
        ("member", "left", GROUP, ReachChanged(False, "the bot was removed from the group")),
        ("left", "administrator", GROUP, ReachChanged(True, "the bot was added to the group")),
        ("member", "administrator", GROUP, None),
    ],
)
def test_blocked_and_unblocked(before: str, after: str, chat: dict[str, Any], about: ReachChanged | None):
    body = {"chat": chat, "from": USER, "date": UNIX}
    states = {"old_chat_member": {"status": before, "user": BOT}, "new_chat_member": {"status": after, "user": BOT}}
    parsed = update("my_chat_member", **body, **states)
    assert parsed.about == (About(reach=about) if about else None)
    assert parsed.sender.address == str(chat["id"])


# --- groups and topics ------------------------------------------------------------------------------------


def test_a_group_is_one_client_and_says_who_wrote():
    parsed = grouped(text=f"@{BOT_USERNAME} здравствуйте")
    assert parsed.sender == Address("telegram", "-100500", "Анна (Ремонт)")
    assert (parsed.external_id, parsed.thread_key) == ("-100500:15", "-100500")


@pytest.mark.parametrize(
    ("more", "nature"),
    [
        ({"text": "просто так"}, "automatic"),
        ({"text": f"эй @{BOT_USERNAME.upper()}!"}, "ordinary"),
        ({"caption": f"@{BOT_USERNAME}", "photo": [{"file_id": "p"}]}, "ordinary"),
        ({"text": "да", "reply_to_message": message(**{"from": BOT}, chat=GROUP)}, "ordinary"),
        ({"text": "да", "reply_to_message": message(chat=GROUP)}, "automatic"),
        (
            {"text": "эй, бот", "entities": [{"type": "text_mention", "offset": 0, "length": 2, "user": BOT}]},
            "ordinary",
        ),
        ({"text": "/price"}, "ordinary"),
        ({"text": "/price@other_bot"}, "automatic"),
        ({"text": f"/price@{BOT_USERNAME}"}, "ordinary"),
    ],
)
def test_in_a_group_only_what_is_said_to_the_bot_waits_for_an_answer(more: dict[str, Any], nature: str):
    assert grouped(**more).nature == nature


def test_a_topic_is_a_thread_of_its_own_and_its_opening_is_no_question():
    opening = message(message_id=3, chat=GROUP, forum_topic_created={"name": "Кухня", "icon_color": 1})
    parsed = grouped(text="x", message_thread_id=3, is_topic_message=True, reply_to_message=opening)
    assert (parsed.thread_key, parsed.refers_to) == ("-100500;topic=3", ())
    answer = grouped(text="x", message_thread_id=3, is_topic_message=True, reply_to_message=message(message_id=9))
    assert answer.refers_to == ("-100500:9",)


def test_a_discussion_thread_outside_a_forum_is_no_topic():
    assert grouped(text="x", message_thread_id=3).thread_key == "-100500"


@pytest.mark.parametrize(
    ("chat", "more"),
    [({"id": -55, "type": "group"}, {"migrate_to_chat_id": -100500}), (GROUP, {"migrate_from_chat_id": -55})],
)
def test_a_group_that_became_a_supergroup_keeps_its_thread(chat: dict[str, Any], more: dict[str, Any]):
    parsed = told(chat=chat, **more)
    assert parsed.about == About(renamed=ThreadRenamed("-55"))
    assert (parsed.thread_key, parsed.external_id) == ("-100500", "-55/migrated/-100500")
    assert (parsed.sender.address, parsed.vouched) == ("-55", (Address("telegram", "-100500"),))


# --- business accounts ------------------------------------------------------------------------------------


def business(kind: str = "business_message", **more: Any) -> Parsed:
    return update(kind, **message(business_connection_id="aB-1", **more))


def test_a_business_chat_is_a_thread_of_its_own():
    assert business(text="Здравствуйте") == replace(SAID, external_id="aB-1/7:15", thread_key="7;business=aB-1")


def test_what_the_owner_writes_there_is_ours_and_what_the_bot_wrote_has_come_back():
    owner = {"id": 99, "is_bot": False, "first_name": "Хозяин"}
    parsed = business(text="Добрый день", **{"from": owner})
    assert (parsed.direction, parsed.sender, parsed.nature) == ("outbound", ANNA, "ordinary")
    assert parsed.fields == (("Written by", "Хозяин"),)
    away = business(text="Мы закрыты", **{"from": owner}, is_from_offline=True)
    assert (away.direction, away.nature) == ("outbound", "automatic")
    echo = business(text="Ответ", **{"from": owner}, sender_business_bot=BOT)
    assert (echo.direction, echo.nature) == ("outbound", "loop")


def test_an_edit_and_a_deletion_in_a_business_chat():
    edited = business("edited_business_message", text="иначе", edit_date=UNIX)
    assert edited.about == About(edited=Edited("aB-1/7:15"))
    deleted = update("deleted_business_messages", business_connection_id="aB-1", chat=PRIVATE, message_ids=[15, 16])
    assert deleted.about == About(deleted=Deleted(("aB-1/7:15", "aB-1/7:16")))
    assert (deleted.sender, deleted.thread_key) == (ANNA, "7;business=aB-1")


def test_a_business_connection_says_whether_we_may_answer():
    body = {"id": "aB-1", "user": USER, "user_chat_id": 7, "date": UNIX}
    texts = [
        update("business_connection", **body, is_enabled=True, rights={"can_reply": True}).text,
        update("business_connection", **body, is_enabled=True, rights={}).text,
        update("business_connection", **body, is_enabled=False).text,
    ]
    assert texts == [
        "Business account connected",
        "Business account connected, without the right to answer",
        "Business account disconnected",
    ]


# --- what belongs to nobody, what is new, what is broken --------------------------------------------------


def test_half_a_letter_is_shown_as_a_question_mark():
    assert told(text="half \ud83d").text == "half ?"


def test_an_unknown_kind_is_kept_and_shown():
    parsed = read({"update_id": 1, "hologram": {"from": USER, "chat": PRIVATE, "date": UNIX}})
    assert (parsed.text, parsed.sender) == ("[unsupported message] hologram", ANNA)


def test_what_comes_from_nobody_has_a_thread_of_its_own():
    parsed = read({"update_id": 1, "poll": {"id": "1", "question": "Когда?", "options": []}})
    assert (parsed.text, parsed.thread_key, parsed.nature) == ("Poll: Когда?", "service", "automatic")
    assert parsed.cannot_reply


def test_the_same_telling_twice_is_one_and_another_is_another():
    def vote(update_id: int, option: int) -> str:
        body = {"poll_id": "1", "user": USER, "option_ids": [option]}
        return read({"update_id": update_id, "poll_answer": body}).external_id

    assert vote(1, 0) == vote(1, 0)
    assert len({vote(1, 0), vote(2, 0), vote(1, 1)}) == 3


def test_a_notice_of_our_own_is_no_update_somebody_could_forge():
    words = "Telegram left out update 5 of this bot: what they said is lost."
    assert read(notices.gap(5, 5, AT).data).text == words
    forged = {"update_id": 1, **json.loads(notices.gap(5, 5, AT).data)}
    assert read(forged).text == "[unsupported message]"


@pytest.mark.parametrize("data", [b"", b"null", b"[1]", b"{", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_object_goes_to_the_quarantine(data: bytes):
    with pytest.raises(UnreadableItem):
        read(data)


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [
    *("chat", "from", "date", "text", "entities", "photo", "voice", "reply_to_message", "contact", "location", "poll"),
    *("message_thread_id", "is_topic_message", "business_connection_id", "new_reaction", "message_ids", "option_ids"),
    *("new_chat_member", "old_chat_member", "message", "data", "migrate_to_chat_id", "forward_origin", "quote"),
    *("rich_message", "checklist", "venue", "dice", "sticker", "paid_media", "media_group_id", "reactions", "query"),
    *("new_chat_members", "successful_payment", "caption", "caption_entities", "edit_date", "sender_chat", "user"),
]
_KINDS = ["message", "edited_message", "callback_query", "message_reaction", "my_chat_member", "poll", "poll_answer"]
_KINDS += ["business_connection", "deleted_business_messages", "message_reaction_count", "chat_member", "new"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_KINDS), st.dictionaries(st.sampled_from(_FIELDS), _anything, max_size=6), st.booleans())
def test_no_nonsense_in_any_field_raises(kind: str, fields: dict[str, Any], sound: bool):
    body = {**message(text="x"), **fields} if sound else fields
    parsed = read(json.dumps({"update_id": 1, kind: body}).encode())
    assert parsed.sender.address
    json.dumps([parsed.text, parsed.html, parsed.thread_key]).encode()
