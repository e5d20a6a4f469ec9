"""Kept posts -> messages: who wrote, what, and how they can be answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.web_form import body
from shared.channels.web_form.definition import DEFAULT
from shared.channels.web_form.names import role_of
from shared.channels.web_form.parse import email_address, parse
from shared.channels.web_form.site import site_of
from shared.connector import BadInput, Channel, load
from shared.contracts.inbound import Address
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import typed

CHANNEL_ID, MAILBOX = UUID(int=1), UUID(int=2)
anything = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URLENCODED = "application/x-www-form-urlencoded"


def parsed(data: bytes, content_type: str = URLENCODED, reply_channel: str = str(MAILBOX)) -> Parsed:
    channel = Channel(CHANNEL_ID, "web_form", "Site", {"reply_channel": reply_channel})
    media_type = content_type.partition(";")[0]
    return parse(RawItem(data, media_type, AT, "key:1", {"content_type": content_type}), channel)


def form(**fields: str) -> Parsed:
    return parsed(urlencode(fields).encode())


def test_with_only_a_phone_the_sender_is_the_phone_and_cannot_be_written_to():
    message = form(name="Анна", tel="+49 30 901820")
    assert message.sender == Address("phone", "+4930901820", "Анна")
    assert (message.reply_to, message.reply_channel) == (None, None)
    assert message.cannot_reply == "The form gave a phone number only: call +4930901820."


def test_without_any_address_the_submission_itself_is_the_sender():
    message = form(message="Позвоните мне")
    assert message.sender == Address("web_form", "key:1")
    assert message.cannot_reply == "The form gave no e-mail address to answer to."


def test_without_a_mailbox_the_reason_says_what_to_set():
    message = parsed(b"email=a%40example.com", reply_channel="")
    assert message.reply_to is None
    assert "reply_channel" in message.cannot_reply


def test_a_mistyped_email_leaves_the_phone_and_is_still_shown():
    message = form(email="ivan@", phone="89161234567", message="?")
    assert message.sender == Address("phone", "+79161234567")
    assert ("email", "ivan@") in message.fields


@pytest.mark.parametrize(
    "typed",
    ["Anna <Anna@example.com>", "anna@example.com, ben@example.com", "mailto:anna@example.com", "anna@example.com;"],
)
def test_an_address_is_found_among_other_words(typed: str):
    assert form(email=typed, message="?").sender == Address("email", "anna@example.com")


@pytest.mark.parametrize(
    "typed", ["anna@example.com\r\nBcc: ben@example.com", "anna at example.com", "x " * 300 + "a@b.ru"]
)
def test_what_is_no_line_with_an_address_gives_none(typed: str):
    assert form(email=typed, message="?").cannot_reply == "The form gave no e-mail address to answer to."


def test_without_a_message_the_text_is_the_fields_without_the_machinery():
    message = form(name="Иван", size="2x3", formid="f1", _next="https://example.com", colour="")
    assert message.text == "name: Иван\nsize: 2x3"
    assert [name for name, _ in message.fields] == ["name", "size", "formid", "_next", "colour"]


def test_first_and_last_name_make_a_name():
    assert form(first_name="Анна", last_name="Каренина", email="a@example.com").sender.name == "Анна Каренина"


def test_a_checkbox_group_keeps_each_of_its_values():
    assert parsed(b"size=2x3&size=3x3").fields == (("size", "2x3"), ("size", "3x3"))


def test_nested_json_becomes_fields_in_order():
    data = {"form_name": "contact", "data": {"email": "a@example.com", "size": ["2x3", 7]}, "agreed": True, "no": None}
    message = parsed(json.dumps(data).encode(), "application/json")
    assert message.fields == (
        ("form_name", "contact"),
        ("data.email", "a@example.com"),
        ("data.size", "2x3"),
        ("data.size", "7"),
        ("agreed", "true"),
        ("no", ""),
    )
    assert message.sender == Address("email", "a@example.com")


def test_numbers_in_json_stay_as_they_were_written():
    assert parsed(b'{"phone": 79161234567, "price": 1.10}', "application/json").fields[1] == ("price", "1.10")


@pytest.mark.parametrize("content_type", [URLENCODED, f"{URLENCODED}; charset=windows-1251"])
def test_a_form_in_windows_1251_is_read(content_type: str):
    data = b"message=" + quote_plus("Здравствуйте", encoding="cp1251").encode()
    assert parsed(data, content_type).text == "Здравствуйте"


@pytest.mark.parametrize("mark", ["\x1e", "\x1f", "&", "=", "%", "\\", "\\x41", "%41", "+", "\N{BULLET}"])
def test_a_character_that_means_something_on_the_way_is_only_a_character(mark: str):
    pairs = (("a" + mark, "b" + mark + "c"), (mark, ""), ("d", mark))
    fields = tuple((body.clean(name), body.clean(value)) for name, value in pairs)
    assert body.read(urlencode(pairs).encode(), URLENCODED).fields == fields


def test_a_raw_equals_sign_belongs_to_the_value():
    assert parsed(b"a=b=c&d&=e").fields == (("a", "b=c"), ("d", ""), ("", "e"))


def test_raw_utf_8_and_a_lone_percent_sign_are_taken_as_they_are():
    assert parsed("message=Скидка 100% ?".encode()).text == "Скидка 100% ?"


def test_characters_no_database_takes_are_replaced():
    assert parsed(rb'{"message": "a\u0000b\ud800"}', "application/json").text == "a\ufffdb\ufffd"


def test_a_body_that_a_later_limit_refuses_goes_to_the_quarantine():
    with pytest.raises(UnreadableItem):
        parsed(b"{", "application/json")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("email", "email"),
        ("Email", "email"),
        ("_replyto", "email"),
        ("your-email", "email"),
        ("E-mail:", "email"),
        ("Почта*", "email"),
        ("form[email]", "email"),
        ("data.email", "email"),
        ("Phone", "phone"),
        ("тел.", "phone"),
        ("Номер телефона", "phone"),
        ("имя", "name"),
        ("Name", "name"),
        ("Textarea", "message"),
        ("КОММЕНТАРИЙ", "message"),
        ("_subject", "subject"),
        ("_gotcha", "service"),
        ("tranid", "service"),
        ("colour", ""),
        ("", ""),
        ("[", ""),
    ],
)
def test_a_field_is_known_by_its_name(name: str, role: str):
    assert role_of(name) == role


@pytest.mark.parametrize(
    "text", ["a@b", "@example.com", "a b@example.com", "a@exa mple.com", "a@b..c", "x" * 65 + "@b.c", ""]
)
def test_what_is_no_address_is_not_taken_for_one(text: str):
    assert email_address(text) == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8 (916) 123-45-67", "+79161234567"),
        ("+7 916 123 45 67", "+79161234567"),
        ("8 495 123-45-67", "+74951234567"),
        ("+1 650 253 0000", "+16502530000"),
        ("123", ""),
        ("позвоните", ""),
    ],
)
def test_a_typed_number_becomes_e164(text: str, number: str):
    assert typed(text, "RU") == number


def test_a_number_without_a_country_code_belongs_to_the_country_of_the_channel():
    item = RawItem(b"phone=030+123456&message=Hallo", "application/x-www-form-urlencoded", AT, "form/1")
    settings = {"reply_channel": "", "country": "DE"}
    channel = Channel(UUID(int=8), "web_form", "Berlin", load("web_form").complete(settings))
    assert parse(item, channel).sender == Address("phone", "+4930123456")


# --- whatever comes ---------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@anything
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=10))
def test_every_field_survives_urlencoding_and_json(pairs: list[tuple[str, str]]):
    expected = [(body.clean(name), body.clean(value)) for name, value in pairs]
    if all(name or value for name, value in pairs):
        assert list(body.read(urlencode(pairs).encode(), URLENCODED).fields) == expected
    data = dict(pairs)
    fields = body.read(json.dumps(data).encode(), "application/json").fields
    assert list(fields) == [(body.clean(n), body.clean(v)) for n, v in data.items()]


@anything
@given(
    st.binary(max_size=400),
    st.sampled_from(
        [URLENCODED, "application/json", "multipart/form-data; boundary=b", "text/html", "", ";;=", "x/y;a"]
    ),
)
def test_any_bytes_are_either_read_or_refused(data: bytes, content_type: str):
    for name, value in fields_or_refusal(data, content_type):
        assert "\0" not in (name + value)
        (name + value).encode()


@anything
@given(st.binary(max_size=300))
def test_any_multipart_inside_is_either_read_or_refused(data: bytes):
    whole = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + data + b"\r\n--b--\r\n"
    fields_or_refusal(whole, "multipart/form-data; boundary=b")


def fields_or_refusal(data: bytes, content_type: str) -> tuple[tuple[str, str], ...]:
    try:
        return body.read(data, content_type).fields
    except BadInput as refused:
        return (("status", {400: "broken", 413: "too large", 415: "unknown"}[refused.status]),)


# --- settings ---------------------------------------------------------------------------------------------


def test_the_defaults_are_right():
    assert load("web_form").problems({}) == []


def test_every_setting_together_is_right():
    settings = {
        "allowed_origins": "https://example.com",
        "form_rate_limit": "1000",
        "field_map": '{"Пожелания": "message"}',
        "country": "DE",
        "honeypot": "website2 url2",
        "least_seconds": "0",
        "fields": '[{"name": "email"}]',
        "title": '{"ru": "Окна", "en": "Windows"}',
    }
    assert load("web_form").problems(settings) == []


def test_a_channel_that_is_older_than_a_setting_has_its_default():
    channel = Channel(UUID(int=7), "web_form", "Old", {"reply_channel": str(MAILBOX), "rate_limit": "5"})
    site = site_of(channel)
    assert (site.rate_limit, site.form_rate_limit, site.least_seconds, site.form) == (5, 500, 2.0, DEFAULT)


@pytest.mark.parametrize(
    "settings",
    [
        {"country": "Germany"},
        {"allowed_origins": "example.com"},
        {"allowed_origins": "https://example.com/page"},
        {"reply_channel": "Support"},
        {"rate_limit": "many"},
        {"rate_limit": "-1"},
        {"thanks_url": "javascript:alert(1)"},
        {"form_rate_limit": "1.5"},
        {"field_map": "message"},
        {"field_map": '["message"]'},
        {"field_map": '{"x": "colour"}'},
        {"field_map": '{"x": ["email"]}'},
        {"least_seconds": "soon"},
        {"least_seconds": "61"},
        {"fields": "name, email"},
        {"title": "{"},
        {"colour": "red"},
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str]):
    [problem] = load("web_form").problems(settings)
    assert next(iter(settings)) in problem
