"""Posting a form: what is accepted, what is refused with which status, and that a refused post leaves nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from starlette.requests import Request

from shared.channels.web_form import body, once
from shared.channels.web_form.receive import FormPosts
from shared.connector import BadInput, Parsed
from shared.contracts.inbound import inbound_id
from tests.channels.web_form.site import CHANNEL_ID, MAILBOX, START, Site

FORM = {"name": "Иван", "email": "ivan@example.com", "message": "Здравствуйте"}
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


# --- one submission, one key ------------------------------------------------------------------------------


def keys(site: Site) -> list[str]:
    return [item.key for item in site.inlet.items]


@pytest.mark.parametrize("processes", [1, 2])
async def test_the_idempotency_key_tells_submissions_of_the_same_words_apart(processes: int):
    sites = [Site() for _ in range(processes)]
    for number, key in enumerate(("a", '"a"', "b")):
        await sites[number % processes].post(headers={"Idempotency-Key": key}, data=FORM)
    kept = {key for site in sites for key in keys(site)}
    assert sorted(key.rpartition(":")[0] for key in kept) == ["key:a", "key:b"]


@pytest.mark.parametrize("processes", [1, 2])
async def test_other_words_under_a_used_idempotency_key_are_an_entry_of_their_own(processes: int):
    sites, answers = [Site() for _ in range(processes)], []
    for number, text in enumerate(("Первое", "Второе", "Первое", "Второе")):
        site = sites[number // 2 % processes]
        answers.append(await site.post(headers={"Idempotency-Key": "a"}, data={"message": text}))
    ids = [answer.json()["id"] for answer in answers]
    assert (ids[2:], len(set(ids))) == (ids[:2], 2)
    entries = {inbound_id(CHANNEL_ID, each.external_id): each.text for site in sites for each in site.parsed()}
    assert {str(id_): text for id_, text in entries.items()} == {ids[0]: "Первое", ids[1]: "Второе"}


async def test_a_repetition_under_a_key_may_be_encoded_otherwise_and_have_another_token_but_not_other_files():
    site, header = Site(), {"Idempotency-Key": "a"}
    await site.post(headers=header, data={**FORM, "g-recaptcha-response": "1", "_sent_at": "12:00"})
    await site.post(headers=header, json={**FORM, "g-recaptcha-response": "2"})
    await site.post(headers=header, data=FORM, files={"f": ("a.txt", b"1")})
    await site.post(headers=header, data=FORM, files={"f": ("a.txt", b"1")})
    await site.post(headers=header, data=FORM, files={"f": ("a.txt", b"2")})
    first, second, third, fourth, fifth = keys(site)
    assert (first == second, third == fourth, len({first, third, fifth})) == (True, True, 3)


async def test_the_id_of_tilda_is_the_key():
    site = Site()
    await site.post(data={**FORM, "tranid": "1234567:987654321", "formid": "form1"})
    assert keys(site) == ["tranid:1234567:987654321"]


def known_as(parsed: Parsed) -> set[str]:
    return {parsed.external_id, *parsed.same_as}


@pytest.mark.parametrize("seconds_past_the_hour", [0, 1, 150, 299.9])
async def test_the_same_text_is_one_submission_for_ten_to_fifteen_minutes_at_any_process(seconds_past_the_hour: float):
    for pause, is_same in ((1, True), (299, True), (599, True), (900, False), (86_400, False)):
        one, other = Site(), Site()
        one.at = other.at = START.replace(minute=0) + timedelta(seconds=seconds_past_the_hour)
        other.later(seconds=pause)
        await one.post(data=FORM)
        await other.post(data=FORM)
        [first], [second] = one.parsed(), other.parsed()
        assert bool(known_as(first) & known_as(second)) == is_same
        assert (first.external_id in known_as(second)) == is_same, "the later one finds the earlier one"


@pytest.mark.parametrize("seconds_past_the_hour", [0, 150, 299.9])
async def test_a_repeat_in_a_later_window_is_answered_with_the_id_of_the_entry_there_is(seconds_past_the_hour: float):
    site = Site()
    site.at = START.replace(minute=0) + timedelta(seconds=seconds_past_the_hour)
    answers = [await site.post(data=FORM)]
    for _ in range(2):
        site.later(seconds=299)
        answers.append(await site.post(data=FORM))
    assert len({answer.json()["id"] for answer in answers}) == 1
    site.later(seconds=400)
    assert (await site.post(data=FORM)).json()["id"] != answers[0].json()["id"], "out of reach it is new"


async def test_the_posts_longest_ago_are_forgotten_first():
    repeats = once.Repeats(remembered=2)
    assert [repeats.first_key(f"hash:{text}:1") for text in "abc"] == ["hash:a:1", "hash:b:1", "hash:c:1"]
    assert [repeats.first_key(f"hash:{text}:2") for text in "cba"] == ["hash:c:1", "hash:b:1", "hash:a:2"]
    assert repeats.first_key("tranid:1:2") == "tranid:1:2"


async def test_a_post_with_a_key_of_its_own_is_known_under_that_only():
    site = Site()
    await site.post(headers={"Idempotency-Key": "hash:ab:5"}, data=FORM)
    await site.post(data={**FORM, "tranid": "1:2", "formid": "form1"})
    await site.post(data={**FORM, once.PAGE_KEY: "page"})
    assert [parsed.same_as for parsed in site.parsed()] == [(), (), ()]


async def test_posts_at_once_have_one_key():
    site = Site()
    await asyncio.gather(*(site.post(data=FORM) for _ in range(20)))
    assert len(set(keys(site))) == 1


async def test_two_processes_give_a_submission_the_same_key():
    one, other = Site(), Site()
    await one.post(data=FORM)
    await other.post(data=FORM)
    assert keys(one) == keys(other)


async def test_different_files_under_the_same_text_are_different_submissions():
    site = Site()
    for content in (b"one", b"two"):
        await site.post(data=FORM, files={"file": ("plan.pdf", content)})
    assert len(set(keys(site))) == 2


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
