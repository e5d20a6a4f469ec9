"""The sender against the Bot API: every call is one the spec allows, and every failure says what to do."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from shared.channels.telegram.send import BotSender, sender
from shared.connector import SendDelayed, SenderBroken, SendFateUnknown, SendRefused, Sent
from shared.contracts.inbound import FileRef
from tests.channels.telegram.bots import bot_channel, reply
from tests.peers.telegram import TelegramServer
from tests.peers.telegram_api.bot import FIRST_SENT_ID, private_chat

FILES = {"jpg": b"\xff\xd8\xff", "pdf": b"%PDF", "ogg": b"OggS"}
FIRST = FIRST_SENT_ID


async def read_file(sha256: str) -> bytes:
    if sha256 not in FILES:
        raise FileNotFoundError(sha256)
    return FILES[sha256]


def file(sha256: str, media_type: str, name: str = "", size: int = 4) -> FileRef:
    return FileRef(sha256, size, name or f"файл.{sha256}", media_type)


PHOTO, DOCUMENT, VOICE = file("jpg", "image/jpeg"), file("pdf", "application/pdf"), file("ogg", "audio/ogg")


@pytest_asyncio.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[BotSender]:
    for chat_id in (7, 8):
        telegram.bot.chats[chat_id] = private_chat(chat_id)
    telegram.bot.chats[-100500] = {"id": -100500, "type": "supergroup", "title": "Ремонт"}
    opened = sender(bot_channel(telegram.url), read_file)
    yield opened
    await opened.close()


def sent(telegram: TelegramServer, *names: str) -> list[dict[str, Any]]:
    """What the bot sent, without what every message has."""
    return [{name: each[name] for name in names if name in each} for each in telegram.bot.sent]


async def test_a_text_is_sent_with_its_formatting(telegram: TelegramServer, bot: BotSender) -> None:
    assert await bot.send(reply("Ответ 🙂 **важно** <b>", markup="markdown")) == Sent(f"7:{FIRST}")
    entities = [{"type": "bold", "offset": 9, "length": 5}]
    assert sent(telegram, "text", "entities") == [{"text": "Ответ 🙂 важно <b>", "entities": entities}]


async def test_a_plain_text_stays_as_it_was_typed(telegram: TelegramServer, bot: BotSender) -> None:
    await bot.send(reply("**2 * 3** = `6`"))
    assert sent(telegram, "text", "entities") == [{"text": "**2 * 3** = `6`"}]


async def test_a_long_text_becomes_several_messages_under_one_id(telegram: TelegramServer, bot: BotSender) -> None:
    text = "\n\n".join(f"Абзац {n}. " + "слово " * 60 for n in range(30))
    result = await bot.send(reply(text))
    ids = [each["message_id"] for each in telegram.bot.sent]
    assert result == Sent(f"7:{','.join(map(str, ids))}", tuple(f"7:{id_}" for id_ in ids))
    assert len(ids) == 3
    assert " ".join(" ".join(each["text"] for each in telegram.bot.sent).split()) == " ".join(text.split())


async def test_an_answer_to_a_message_refers_to_it_and_one_to_a_deleted_message_is_sent_all_the_same(
    telegram: TelegramServer, bot: BotSender
) -> None:
    telegram.say(7, 15, "Вопрос")
    await bot.send(reply("Ответ", target="7:15"))
    await bot.send(reply("Ответ", target="7:14"))
    await bot.send(reply("Ответ", target="8:15"))
    assert [each.get("reply_to_message", {}).get("message_id") for each in telegram.bot.sent] == [15, None, None]


async def test_files_are_sent_as_what_they_are(telegram: TelegramServer, bot: BotSender) -> None:
    files = (PHOTO, DOCUMENT, VOICE, file("jpg", "image/gif"), file("ogg", "video/mp4"), file("pdf", "audio/mpeg"))
    for number, each in enumerate(files):
        await bot.send(reply("Подпись", chat=7 + number % 2, files=(each,)))
    kinds = [call.method for call in telegram.api.calls]
    assert kinds == ["sendPhoto", "sendDocument", "sendVoice", "sendAnimation", "sendVideo", "sendAudio"]
    assert {each["caption"] for each in telegram.bot.sent} == {"Подпись"}
    [uploaded] = telegram.calls("sendDocument")[0].files.values()
    assert uploaded == ("файл.pdf", b"%PDF")


async def test_several_photos_are_an_album_with_the_text_on_the_first(telegram: TelegramServer, bot: BotSender) -> None:
    result = await bot.send(reply("Альбом", files=(PHOTO, PHOTO, PHOTO, DOCUMENT)))
    assert [call.method for call in telegram.api.calls] == ["sendMediaGroup", "sendDocument"]
    assert [each.get("caption") for each in telegram.bot.sent] == ["Альбом", None, None, None]
    assert result.known_as == tuple(f"7:{FIRST + n}" for n in range(4))


async def test_a_text_too_long_for_a_caption_goes_on_as_a_message(telegram: TelegramServer, bot: BotSender) -> None:
    await bot.send(reply("слово " * 300, files=(PHOTO,)))
    assert [len(each.get("caption") or each["text"]) for each in telegram.bot.sent] == [1019, 779]


async def test_a_reply_in_a_topic_stays_there(telegram: TelegramServer, bot: BotSender) -> None:
    result = await bot.send(reply("Ответ", thread_key="-100500;topic=3"))
    assert (telegram.bot.sent[0]["message_thread_id"], result) == (3, Sent(f"-100500:{FIRST}"))


async def test_a_business_chat_is_answered_as_the_business(telegram: TelegramServer, bot: BotSender) -> None:
    result = await bot.send(reply("Ответ", thread_key="7;business=abc-1"))
    assert (telegram.bot.sent[0]["business_connection_id"], result) == ("abc-1", Sent(f"abc-1/7:{FIRST}"))
    await bot.send(reply("Иначе", action="edit", target=result.external_id))
    await bot.send(reply(action="delete", target=result.external_id))
    assert (telegram.bot.sent[0]["text"], telegram.bot.deleted) == ("Иначе", [(7, FIRST)])


# --- what was said, changed -------------------------------------------------------------------------------


async def test_what_we_sent_is_edited_and_deleted(telegram: TelegramServer, bot: BotSender) -> None:
    result = await bot.send(reply("Первое"))
    edit = reply("Второе", action="edit", target=result.external_id)
    assert [await bot.send(edit), await bot.send(edit)] == [Sent(result.external_id)] * 2
    assert sent(telegram, "text") == [{"text": "Второе"}]
    delete = reply(action="delete", target=result.external_id)
    assert [await bot.send(delete), await bot.send(delete)] == [Sent(result.external_id)] * 2
    assert telegram.bot.deleted == [(7, FIRST)]


async def test_the_text_of_a_file_is_its_caption(telegram: TelegramServer, bot: BotSender) -> None:
    result = await bot.send(reply("Первое", files=(PHOTO,)))
    await bot.send(reply("Второе", action="edit", target=result.external_id))
    assert sent(telegram, "caption") == [{"caption": "Второе"}]


async def test_a_shorter_text_takes_fewer_messages_and_a_longer_one_is_refused(
    telegram: TelegramServer, bot: BotSender
) -> None:
    result = await bot.send(reply("слово " * 1000))
    await bot.send(reply("Коротко", action="edit", target=result.external_id))
    assert sent(telegram, "text")[0] == {"text": "Коротко"}
    assert telegram.bot.deleted == [(7, FIRST + 1)]
    with pytest.raises(SendRefused, match="too long for the messages that were sent"):
        await bot.send(reply("слово " * 2000, action="edit", target=result.external_id))


async def test_a_reaction_is_set_and_withdrawn(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.say(7, 15, "Спасибо!")
    await bot.send(reply("👍", action="react", target="7:15"))
    assert telegram.bot.reactions == {(7, 15): [{"type": "emoji", "emoji": "👍"}]}
    await bot.send(reply("", action="react", target="7:15"))
    assert telegram.bot.reactions == {(7, 15): []}


async def test_the_client_sees_that_somebody_is_writing(telegram: TelegramServer, bot: BotSender) -> None:
    await bot.typing("7")
    assert telegram.bot.actions == [(7, "typing")]


# --- what cannot be sent ----------------------------------------------------------------------------------

REFUSED = {
    "an unknown chat": (reply("Да", thread_key="99"), "knows no such chat"),
    "no chat at all": (reply("Да", thread_key="", to=()), "no chat of Telegram"),
    "nothing to say": (reply("  "), "nothing to send"),
    "an empty file": (reply(files=(file("jpg", "image/jpeg", size=0),)), "is empty"),
    "a huge file": (reply(files=(file("jpg", "image/jpeg", size=10**9),)), "is empty|larger than 50 MB"),
    "a lost file": (reply(files=(file("gone", "image/jpeg"),)), "not in the store"),
    "a call": (reply(action="call"), "cannot call"),
    "an edit of nothing": (reply("Да", action="edit", target="7:1"), "no longer there"),
    "an edit of a mail": (reply("Да", action="edit", target="<1@example.org>"), "not a message of Telegram"),
    "a reaction for a business": (reply("👍", action="react", target="abc/7:1"), "business account"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_can_never_be_sent_is_refused_with_a_reason(bot: BotSender, case: str) -> None:
    impossible, reason = REFUSED[case]
    if case == "a huge file":
        bot = sender(bot_channel(), read_file)
    with pytest.raises(SendRefused, match=reason):
        await bot.send(impossible)


FORBIDDEN = {
    "Forbidden: bot was blocked by the user": "the client has blocked the bot",
    "Forbidden: user is deactivated": "no longer exists",
    "Forbidden: bot was kicked from the supergroup chat": "removed from this group",
    "Forbidden: something new": "Telegram refuses it: Forbidden: something new",
}


@pytest.mark.parametrize("words", FORBIDDEN)
async def test_a_client_who_wants_nothing_from_us_is_final(
    telegram: TelegramServer, bot: BotSender, words: str
) -> None:
    telegram.faults.answer(403, words)
    with pytest.raises(SendRefused, match=FORBIDDEN[words]) as refused:
        await bot.send(reply("Да"))
    assert refused.value.code == "403"
    await bot.send(reply("Да"))


async def test_a_token_that_was_revoked_breaks_the_channel(telegram: TelegramServer) -> None:
    stranger = sender(bot_channel(telegram.url, token="1234567:" + "A" * 35), read_file)
    with pytest.raises(SenderBroken, match="does not accept the bot's token"):
        await stranger.send(reply("Да"))
    await stranger.close()


async def test_a_group_that_moved_is_followed(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.faults.migrate(-55, -100500, times=10)
    assert await bot.send(reply("Да", thread_key="-55")) == Sent(f"-100500:{FIRST}")
    assert await bot.send(reply("Да", thread_key="-55")) == Sent(f"-100500:{FIRST + 1}")
    assert [call.params["chat_id"] for call in telegram.api.calls] == [-55, -100500, -100500]


# --- a lost answer ----------------------------------------------------------------------------------------

LOST = {
    "cut after it was done": lambda t: t.faults.cut(done=True),
    "cut before it was done": lambda t: t.faults.cut(done=False),
    "a proxy's page": lambda t: t.faults.bad_gateway(),
    "an internal error": lambda t: t.faults.answer(500, "Internal Server Error"),
}


@pytest.mark.parametrize("case", LOST)
async def test_a_message_whose_answer_is_lost_has_an_unknown_fate(
    telegram: TelegramServer, bot: BotSender, case: str
) -> None:
    LOST[case](telegram)
    with pytest.raises(SendFateUnknown, match="the client may have got it"):
        await bot.send(reply("Да"))
    assert len(telegram.bot.sent) == (case == "cut after it was done")
    await bot.send(reply("Да"))


@pytest.mark.parametrize("case", LOST)
async def test_an_edit_whose_answer_is_lost_is_made_again(telegram: TelegramServer, bot: BotSender, case: str) -> None:
    result = await bot.send(reply("Раз"))
    edit = reply("Два", action="edit", target=result.external_id)
    LOST[case](telegram)
    with pytest.raises(SendDelayed):
        await bot.send(edit)
    assert await bot.send(edit) == Sent(result.external_id)
    assert sent(telegram, "text") == [{"text": "Два"}]


async def test_a_server_that_cannot_be_reached_is_tried_later(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.stop()
    with pytest.raises(SendDelayed, match="cannot be reached"):
        await bot.send(reply("Да"))
    telegram.start()
    await bot.send(reply("Да"))
    assert len(telegram.bot.sent) == 1


async def test_a_reply_that_got_stuck_half_way_is_not_begun_again(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.faults.answer(403, "Forbidden: bot was blocked by the user", method="sendMessage")
    with pytest.raises(SendFateUnknown, match="only 1 of 2 messages of this reply were sent; then: the client has blo"):
        await bot.send(reply("слово " * 300, files=(PHOTO,)))


# --- flood control ----------------------------------------------------------------------------------------


async def test_a_flooded_chat_is_left_alone_and_holds_up_no_other(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.faults.flood(7, 2)
    with pytest.raises(SendDelayed) as delayed:
        await bot.send(reply("Да"))
    assert (delayed.value.retry_after_seconds, delayed.value.code) == (2.0, "429")
    with pytest.raises(SendDelayed) as again:
        await bot.send(reply("Да"))
    assert 0 < (again.value.retry_after_seconds or 0) <= 2
    await bot.send(reply("Да", chat=8))
    assert len(telegram.api.calls) == 2
    await asyncio.sleep(again.value.retry_after_seconds or 0)
    await bot.send(reply("Да"))
    assert telegram.faults.too_early == []


async def test_a_flood_in_the_middle_of_a_reply_is_waited_for(telegram: TelegramServer, bot: BotSender) -> None:
    telegram.faults.answer(429, "Too Many Requests: retry after 1", method="sendMessage", retry_after=1)
    began = time.monotonic()
    result = await bot.send(reply("слово " * 300, files=(PHOTO,)))
    assert len(result.known_as) == 2
    assert time.monotonic() - began >= 1


async def test_many_messages_to_one_chat_are_put_off_and_other_chats_go_on(
    telegram: TelegramServer, bot: BotSender
) -> None:
    with pytest.raises(SendDelayed) as later:
        await _send_many(bot, 100)
    assert 0 < (later.value.retry_after_seconds or 0) <= 1
    assert len(telegram.bot.sent) >= 5
    await bot.send(reply("Да", chat=8))
    assert telegram.bot.sent[-1]["chat"]["id"] == 8


async def _send_many(bot: BotSender, count: int) -> None:
    for number in range(count):
        await bot.send(reply(f"{number}"))


async def test_one_place_serves_many_replies_at_once(telegram: TelegramServer, bot: BotSender) -> None:
    for chat_id in range(100, 120):
        telegram.bot.chats[chat_id] = private_chat(chat_id)
    replies = [reply("Да", chat=chat_id, id=UUID(int=chat_id)) for chat_id in range(100, 120)]
    results = await asyncio.gather(*map(bot.send, replies))
    assert [each.external_id for each in results] == [f"{chat_id}:{FIRST}" for chat_id in range(100, 120)]


async def test_a_bot_keeps_to_thirty_messages_a_second_however_many_are_sent_at_once(
    telegram: TelegramServer, bot: BotSender
) -> None:
    chats = range(100, 145)
    telegram.bot.chats.update({chat_id: private_chat(chat_id) for chat_id in chats})
    began = time.monotonic()
    await asyncio.gather(*(bot.send(reply("Да", chat=chat_id, id=UUID(int=chat_id))) for chat_id in chats))
    assert time.monotonic() - began >= 14 / 30  # a burst of thirty, then one every thirtieth of a second


async def test_replies_to_other_chats_are_not_held_up_by_flooded_ones(telegram: TelegramServer, bot: BotSender) -> None:
    """The small form of the figure in tests/benchmarks/telegram.py: one chat in ten answers 429."""
    chats = range(100, 140)
    telegram.bot.chats.update({chat_id: private_chat(chat_id) for chat_id in chats})
    flooded = {chat_id for chat_id in chats if chat_id % 10 == 0}
    for chat_id in flooded:
        telegram.faults.flood(chat_id, 2)

    async def deliver(chat_id: int) -> None:
        """As the ledger does: again when the Sender says so."""
        while True:
            try:
                await bot.send(reply("Да", chat=chat_id, id=UUID(int=chat_id)))
                return
            except SendDelayed as later:
                await asyncio.sleep(later.retry_after_seconds or 1)

    await asyncio.gather(*map(deliver, chats))
    order = [each["chat"]["id"] for each in telegram.bot.sent]
    assert sorted(order) == list(chats)
    assert set(order[-len(flooded) :]) == flooded
    assert telegram.faults.too_early == []
