"""Posting a form: what is accepted, what is refused with which status, and that a refused post leaves nothing."""

from __future__ import annotations

from datetime import datetime

import pytest
from starlette.requests import Request

from shared.channels.web_form import body
from shared.channels.web_form.receive import FormPosts
from shared.connector import BadInput
from shared.contracts.inbound import inbound_id
from tests.channels.web_form.site import CHANNEL_ID, FORM, MAILBOX, START, Site

URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}


async def test_a_urlencoded_form_is_kept_and_answered_with_its_id():
    site = Site()
    answer = await site.post(data=FORM)
    assert answer.status_code == 200
    [item] = site.inlet.items
    assert answer.json() == {"ok": True, "id": str(inbound_id(CHANNEL_ID, item.key))}
    assert (item.media_type, item.received_at) == ("application/x-www-form-urlencoded", START)
    assert item.context == {"content_type": "application/x-www-form-urlencoded", "remote": "127.0.0.1"}


async def test_the_three_encodings_of_one_form_are_one_submission():
    site = Site()
    parts = {name: (None, value) for name, value in FORM.items()}
    answers = [await site.post(data=FORM), await site.post(json=FORM), await site.post(files=parts)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({parsed.fields for parsed in site.parsed()}) == 1


REFUSED = {
    "JSON that breaks off": (400, JSON, b'{"name": "Iv'),
    "JSON in windows-1251": (400, JSON, '{"имя": "Иван"}'.encode("cp1251")),
    "JSON with NaN": (400, JSON, b'{"name": NaN}'),
    "JSON that is a list": (400, JSON, b'["name"]'),
    "JSON nested ten thousand deep": (400, JSON, b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "JSON nested ten deep": (413, JSON, b'{"a":' + b"[" * 10 + b"1" + b"]" * 10 + b"}"),
    "bytes that are no urlencoded form": (400, URLENCODED, b"name=\x00\x01\x02"),
    "multipart without a boundary": (400, {"content-type": "multipart/form-data"}, b"--b\r\n"),
    "multipart that breaks off": (400, MULTIPART, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nhal'),
    "multipart that is none": (400, MULTIPART, b"name=Ivan"),
    "multipart with a nameless part": (400, MULTIPART, b"--b\r\nX: y\r\n\r\nvalue\r\n--b--\r\n"),
    "a body over the limit": (413, URLENCODED, b"message=" + b"a" * body.BODY_BYTES),
    "a value over the limit": (413, URLENCODED, b"message=" + b"a" * (body.VALUE_BYTES + 1)),
    "a Russian value over the limit": (413, JSON, ('{"a":"' + "ы" * (body.VALUE_BYTES // 2 + 1) + '"}').encode()),
    "a name over the limit": (413, URLENCODED, b"a" * (body.NAME_CHARACTERS + 1) + b"=1"),
    "too many fields": (413, URLENCODED, b"&".join(b"f=%d" % n for n in range(body.FIELDS + 1))),
    "too many files": (
        413,
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nx\r\n' * (body.FILES + 1)
        + b"--b--\r\n",
    ),
    "plain text": (415, {"content-type": "text/plain"}, b"hello"),
    "no content type": (415, {}, b"name=Ivan"),
    "a charset nobody uses": (415, {"content-type": "application/x-www-form-urlencoded; charset=utf-7"}, b"a=b"),
    "a compressed body": (415, {**URLENCODED, "content-encoding": "gzip"}, b"\x1f\x8b"),
    "no body": (422, URLENCODED, b""),
    "blank fields": (422, URLENCODED, b"name=&email=+&message=%20"),
    "only what form services add": (422, URLENCODED, b"_next=https%3A%2F%2Fexample.com&formid=f1"),
    "an endless Idempotency-Key": (400, {**URLENCODED, "idempotency-key": "k" * 256}, b"name=Ivan"),
    "a page of another site": (403, {**URLENCODED, "origin": "https://evil.example"}, b"name=Ivan"),
    "a page from a file": (403, {**URLENCODED, "origin": "null"}, b"name=Ivan"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_post_is_refused_and_nothing_of_it_is_kept(case: str):
    status, headers, content = REFUSED[case]
    site = Site()
    answer = await site.post(headers=headers, content=content)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert site.inlet.items == []


async def test_values_and_fields_just_within_the_limits_are_accepted():
    site = Site()
    fields = {f"f{n}": "ы" * 20 for n in range(body.FIELDS - 1)} | {"message": "a" * body.VALUE_BYTES}
    assert (await site.post(data=fields)).status_code == 200


async def test_a_body_without_content_length_is_read_no_further_than_the_limit():
    chunks = iter(range(100))

    async def receive():
        next(chunks)
        return {"type": "http.request", "body": b"a" * 1024 * 1024, "more_body": True}

    site = Site()
    request = Request({"type": "http", "method": "POST", "headers": [], "client": None}, receive)
    with pytest.raises(BadInput) as refused:
        await FormPosts()(request, site.channel, site.inlet)
    assert (refused.value.status, next(chunks), site.inlet.items) == (413, 11, [])


async def test_what_could_not_be_made_durable_is_not_confirmed_and_may_be_posted_again():
    site = Site()
    site.inlet.broken = True
    assert (await site.post(data=FORM)).status_code == 503
    site.inlet.broken = False
    assert (await site.post(data=FORM)).status_code == 200
    assert len(site.inlet.items) == 1


async def test_the_check_of_tilda_is_answered_and_not_kept():
    site = Site()
    answer = await site.post(data={"test": "test"})
    assert (answer.status_code, site.inlet.items) == (200, [])


# --- origins ----------------------------------------------------------------------------------------------


async def test_a_page_of_an_allowed_origin_may_post_and_read_the_answer():
    site = Site(allowed_origins="https://example.com, https://shop.example.com")
    answer = await site.post(headers={"origin": "https://shop.example.com"}, data=FORM)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example.com"
    assert answer.headers["vary"] == "Origin"


async def test_an_allowed_page_may_read_why_it_was_refused():
    site = Site(allowed_origins="https://example.com")
    answer = await site.post(headers={"origin": "https://example.com"}, data={"name": ""})
    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == "https://example.com"


async def test_a_star_allows_any_page():
    answer = await Site(allowed_origins="*").post(headers={"origin": "https://anyone.example"}, data=FORM)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://anyone.example")


async def test_a_page_of_this_server_may_post_without_being_named():
    answer = await Site().post(headers={"origin": "http://okno.test"}, data=FORM)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_a_preflight_is_answered_for_the_origins_of_the_channel_only():
    site = Site(allowed_origins="https://example.com")
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "idempotency-key"}
    allowed = await site.request("OPTIONS", {"origin": "https://example.com", **preflight})
    foreign = await site.request("OPTIONS", {"origin": "https://evil.example", **preflight})
    assert (allowed.status_code, foreign.status_code) == (204, 403)
    assert allowed.headers["access-control-allow-methods"] == "POST"
    assert "Idempotency-Key" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in foreign.headers


# --- rate -------------------------------------------------------------------------------------------------


async def test_more_posts_than_the_limit_get_429_and_when_to_come_back():
    site = Site(rate_limit="3")
    statuses = [(await site.post(data={"message": str(n)})).status_code for n in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = await site.post(data=FORM)
    assert answer.headers["retry-after"] == "20"
    site.later(seconds=20)
    assert (await site.post(data=FORM)).status_code == 200
    assert len(site.inlet.items) == 4


async def test_no_limit_lets_everything_in():
    site = Site(rate_limit="0")
    assert {(await site.post(data={"message": str(n)})).status_code for n in range(100)} == {200}


# --- thanks -----------------------------------------------------------------------------------------------

THANKS = "https://example.com/thanks https://example.com/спасибо"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("https://example.com/спасибо", "https://example.com/%D1%81%D0%BF%D0%B0%D1%81%D0%B8%D0%B1%D0%BE"),
        ("https://evil.example/", "https://example.com/thanks"),
        ("", "https://example.com/thanks"),
    ],
)
async def test_a_browser_is_sent_to_a_page_of_the_list_only(asked: str, location: str):
    answer = await Site(thanks_url=THANKS).post(headers=BROWSER, data={**FORM, "_next": asked})
    assert (answer.status_code, answer.headers["location"]) == (303, location)


async def test_a_script_gets_json_where_a_browser_is_sent_on():
    answer = await Site(thanks_url=THANKS).post(data=FORM)
    assert (answer.status_code, answer.json()["ok"]) == (200, True)


# --- what is kept is understood ---------------------------------------------------------------------------


async def test_a_form_becomes_a_message_answered_by_mail():
    site = Site()
    await site.post(data={"Ваше имя": "Иван  Петров", "E-mail": " Ivan@Example.com ", "Телефон": "8 (916) 123-45-67",
                          "Тема": "Окна", "Размер": "2x3", "Сообщение": "Здравствуйте\r\nнужно окно"})  # fmt: skip
    [parsed] = site.parsed()
    assert (parsed.kind, parsed.subject, parsed.text) == ("form", "Окна", "Здравствуйте\nнужно окно")
    assert (parsed.sender.kind, parsed.sender.address, parsed.sender.name) == (
        "email",
        "ivan@example.com",
        "Иван Петров",
    )
    assert [(i.kind, i.address) for i in parsed.identities] == [("phone", "+79161234567")]
    assert (parsed.reply_to, parsed.reply_channel, parsed.cannot_reply) == (parsed.sender, MAILBOX, "")
    assert [name for name, _ in parsed.fields] == ["Ваше имя", "E-mail", "Телефон", "Тема", "Размер", "Сообщение"]
    assert (parsed.nature, parsed.warnings) == ("ordinary", ("claimed_sender",))
    assert isinstance(parsed.occurred_at, datetime)
    assert site.channel.id == CHANNEL_ID


async def test_files_come_with_the_form_and_empty_file_inputs_do_not():
    site = Site()
    files = [("photo", ("C:\\фото\\окно.png", b"\x89PNG\r\n\x00", "image/png")), ("more", ("", b""))]
    assert (await site.post(data=FORM, files=files)).status_code == 200
    [parsed] = site.parsed()
    assert [(f.name, f.media_type, f.data) for f in parsed.files] == [("окно.png", "image/png", b"\x89PNG\r\n\x00")]
    assert parsed.text == "Здравствуйте"
