"""Markdown becomes text with entities, and a long text pieces that break neither words nor entities."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.telegram.build import Call, CannotBuild, Upload, build
from shared.channels.telegram.markdown import Entity, Formatted, formatted, units
from shared.channels.telegram.places import Message, Thread
from shared.channels.telegram.split import split
from shared.contracts.inbound import FileRef
from tests.channels.telegram.bots import reply

calm = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("просто", "просто", []),
        ("**жирно** и *косо*", "жирно и косо", [("bold", 0, 5), ("italic", 8, 4)]),
        ("***оба***", "оба", [("bold", 0, 3), ("italic", 0, 3)]),
        ("~~нет~~ `код`", "нет код", [("strikethrough", 0, 3), ("code", 4, 3)]),
        ("🙂 **да**", "🙂 да", [("bold", 3, 2)]),
        ("# Заголовок\nтекст", "Заголовок\n\nтекст", [("bold", 0, 9)]),
        ("раз\n\nдва\nтри", "раз\n\nдва\nтри", []),
        ("- раз\n- два\n  - три", "• раз\n• два\n  • три", []),
        ("3. раз\n4. два\n\nитог", "3. раз\n4. два\n\nитог", []),
        ("> цитата\n\nответ", "цитата\n\nответ", [("blockquote", 0, 6)]),
        ("2 * 3 * 4 и a_b_c и <b>", "2 * 3 * 4 и a_b_c и <b>", []),
        ("[опасно](javascript:x)", "[опасно](javascript:x)", []),
        ("  **края**  ", "края", [("bold", 0, 4)]),
        ("&amp; &lt;", "& <", []),
    ],
)
def test_markdown_as_a_person_meant_it(markdown: str, text: str, entities: list[tuple[str, int, int]]):
    expected = Formatted(text, tuple(Entity(*each) for each in entities))
    assert formatted(markdown) == expected


def test_links_and_code_blocks_keep_what_belongs_to_them():
    parsed = formatted("[сайт](https://e.org/?a=1&b=2)\n\n```python\nx = 1\n```")
    link = Entity("text_link", 0, 4, url="https://e.org/?a=1&b=2")
    assert parsed == Formatted("сайт\n\nx = 1", (link, Entity("pre", 6, 5, language="python")))


@calm
@given(st.text(max_size=200))
def test_every_entity_lies_within_its_text(markdown: str):
    parsed = formatted(markdown)
    assert parsed.text == parsed.text.strip()
    assert all(e.length > 0 and e.offset >= 0 and e.offset + e.length <= units(parsed.text) for e in parsed.entities)


# --- pieces -----------------------------------------------------------------------------------------------


def pieces(text: str, limit: int, *entities: Entity) -> list[Formatted]:
    return split(Formatted(text, entities), itertools.repeat(limit))


def test_a_cut_falls_between_paragraphs_before_lines_before_words():
    assert [p.text for p in pieces("раз два\n\nтри\nчет пять", 14)] == ["раз два", "три\nчет пять"]
    assert [p.text for p in pieces("раз два\nтри четыре", 14)] == ["раз два", "три четыре"]
    assert [p.text for p in pieces("раз два три четыре", 14)] == ["раз два три", "четыре"]


def test_a_cut_goes_around_an_entity():
    bold = Entity("bold", 8, 10)
    assert pieces("раз два три четыре", 14, bold) == [
        Formatted("раз два"),
        Formatted("три четыре", (Entity("bold", 0, 10),)),
    ]


def test_an_entity_longer_than_a_piece_goes_on_in_the_next():
    bold = Entity("bold", 0, 23)
    assert pieces("раз два три четыре пять", 12, bold) == [
        Formatted("раз два три", (Entity("bold", 0, 11),)),
        Formatted("четыре пять", (Entity("bold", 0, 11),)),
    ]


def test_a_word_longer_than_a_piece_is_cut_but_never_an_emoji():
    assert [p.text for p in pieces("а" * 25, 10)] == ["а" * 10, "а" * 10, "а" * 5]
    assert [p.text for p in pieces("🙂" * 7, 5)] == ["🙂🙂", "🙂🙂", "🙂🙂", "🙂"]
    family = "👩‍👧"
    assert [p.text for p in pieces(family * 3, 7)] == [family] * 3


@calm
@given(st.text(alphabet="аб \n🙂e\u0301*", max_size=300), st.integers(4, 60))
def test_pieces_fit_and_together_say_the_whole(text: str, limit: int):
    bold = Entity("bold", 2, 9)
    whole = Formatted(text.strip(), (bold,) if units(text.strip()) > 11 else ())
    parts = split(whole, itertools.repeat(limit))
    assert all(0 < units(part.text) <= limit for part in parts)
    assert "".join("".join(p.text for p in parts).split()) == "".join(text.split())
    assert all(e.length > 0 and e.offset + e.length <= units(p.text) for p in parts for e in p.entities)


def test_a_huge_text_is_split_in_reasonable_time():
    parts = split(formatted("**важно** " + "слово " * 40_000), itertools.repeat(4096))
    assert len(parts) == 59


# --- calls ------------------------------------------------------------------------------------------------


def test_in_a_group_an_answer_says_what_it_answers_and_in_a_private_chat_only_when_that_was_picked():
    private = build(reply("Вот", in_reply_to="7:3"))
    picked = build(reply("Вот", in_reply_to="7:3", target="7:2"))
    group = build(reply("Вот", chat=-70, in_reply_to="-70:3"))
    answered = [call.params.get("reply_parameters", {}) for calls in (private, picked, group) for call in calls]
    assert [each.get("message_id") for each in answered] == [None, 2, 3]


def test_files_become_albums_of_ten_that_do_not_mix():
    photo, document = FileRef("a", 1, "a.jpg", "image/jpeg"), FileRef("b", 1, "b.txt", "text/plain")
    calls = build(reply("Вот", files=(photo,) * 11 + (document, document), target="7:3"))
    assert [call.method for call in calls] == ["sendMediaGroup", "sendPhoto", "sendMediaGroup"]
    upload = Upload("a", "a.jpg")
    first = {"type": "photo", "media": upload, "caption": "Вот"}
    answered = {"message_id": 3, "allow_sending_without_reply": True}
    others = [{"type": "photo", "media": upload}] * 9
    assert calls[0] == Call("sendMediaGroup", {"chat_id": 7, "media": [first, *others], "reply_parameters": answered})
    assert calls[1] == Call("sendPhoto", {"chat_id": 7, "photo": upload})


def test_a_photo_too_large_for_one_is_a_document():
    photo = FileRef("a", 11 * 1024 * 1024, "a.jpg", "image/jpeg")
    assert build(reply(files=(photo,)))[0].method == "sendDocument"


def test_a_file_too_large_goes_only_through_a_server_of_ones_own():
    video = FileRef("a", 60 * 1024 * 1024, "a.mp4", "video/mp4")
    with pytest.raises(CannotBuild, match=r"a\.mp4 is larger than 50 MB"):
        build(reply(files=(video,)))
    assert build(reply(files=(video,)), has_own_server=True)[0].method == "sendVideo"


@pytest.mark.parametrize("key", ["7", "-100500;topic=3", "7;business=aB_1-2", "-1;topic=2;direct=3;business=x"])
def test_a_thread_is_known_by_its_key(key: str):
    assert str(Thread.parse(key)) == key


@pytest.mark.parametrize("id_", ["7:15", "-100500:1,2,3", "aB_1-2/7:15"])
def test_a_message_is_known_by_its_external_id(id_: str):
    assert str(Message.parse(id_)) == id_


@pytest.mark.parametrize(
    "wrong", ["", "x", "7", "7:", ":1", "7:1,", "<a@b>", "a/b/7:1", "7;business=", "7;x=1", "7:1:2"]
)
def test_what_is_neither_is_no_place_of_telegram(wrong: str):
    with pytest.raises(ValueError, match="not a message of Telegram"):
        Message.parse(wrong)
    if wrong != "7":
        with pytest.raises(ValueError, match="not a thread of Telegram"):
            Thread.parse(wrong)
