"""An existing form is pointed at Okno and works: the conventions of form services, published and sampled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.inbound import Address
from tests.channels.web_form.site import Site

CONVENTIONS = Path(__file__).parents[4] / "shared" / "corpora" / "forms" / "conventions.json"
TILDA = {
    "Name": "Иван",
    "Email": "ivan@example.com",
    "Phone": "+7 (916) 123-45-67",
    "Textarea": "Здравствуйте",
    "tranid": "1234567:987654321",
    "formid": "form123456789",
    "COOKIES": "a=b",
}
NETLIFY: dict[str, Any] = {
    "number": 6,
    "title": "Иван Петров",
    "email": "ivan@example.com",
    "name": "Иван Петров",
    "first_name": "Иван",
    "last_name": "Петров",
    "company": None,
    "summary": "Здравствуйте, нужно...",
    "body": "Здравствуйте, нужно окно два на",
    "data": {
        "name": "Иван Петров",
        "email": "ivan@example.com",
        "phone": "89161234567",
        "comments": "Здравствуйте, нужно окно два на три",
        "colour": "белый",
        "bot-field": "",
        "ip": "203.0.113.7",
        "user_agent": "Mozilla/5.0",
        "referrer": "https://example.com/contact",
    },
    "human_fields": {"Name": "Иван Петров", "Comments": "Здравствуйте, нужно окно два на три"},
    "ordered_human_fields": [{"title": "Name", "name": "name", "value": "Иван Петров"}],
    "created_at": "2026-11-21T12:05:00.000Z",
    "id": "5f9f2a7b9d1e8a0007c0ffee",
    "form_id": "5f9f2a7b9d1e8a0007c0beef",
    "form_name": "contact",
    "site_url": "https://example.com",
}
SAID = dict.fromkeys(("email", "_replyto"), "ivan@example.com") | dict.fromkeys(("name", "from_name"), "Иван")
SAID |= dict.fromkeys(("message", "body", "text"), "Здравствуйте")
IVAN = Address("email", "ivan@example.com", "Иван Петров")


async def test_a_post_of_tilda_is_understood_and_repeated_ones_are_one():
    site = Site()
    for _ in range(3):
        assert (await site.post(data=TILDA)).status_code == 200
        site.later(minutes=11)
    assert {item.key for item in site.inlet.items} == {"tranid:1234567:987654321"}
    parsed = site.parsed()[0]
    assert (parsed.sender, parsed.text) == (Address("email", "ivan@example.com", "Иван"), "Здравствуйте")
    assert parsed.identities == (Address("phone", "+79161234567", "Иван"),)
    assert parsed.fields == tuple(TILDA.items())


async def test_a_webhook_of_netlify_is_understood_and_known_by_its_id():
    site = Site()
    for _ in range(2):
        assert (await site.post(json=NETLIFY)).status_code == 200
        site.later(minutes=11)
    assert {item.key for item in site.inlet.items} == {"netlify:5f9f2a7b9d1e8a0007c0ffee"}
    parsed = site.parsed()[0]
    assert (parsed.sender, parsed.text) == (IVAN, "Здравствуйте, нужно окно два на три")
    assert parsed.identities == (Address("phone", "+79161234567", "Иван Петров"),)
    shown = dict(parsed.fields)
    assert (shown["data.colour"], shown["form_name"], shown["data.ip"]) == ("белый", "contact", "203.0.113.7")


async def test_a_webhook_of_netlify_without_a_message_shows_what_the_client_typed():
    site = Site()
    await site.post(json={**NETLIFY, "body": "", "data": {"size": "2x3", "ip": "203.0.113.7"}, "human_fields": {}})
    assert site.parsed()[0].text == "data.size: 2x3"


async def test_what_netlify_calls_its_fields_is_nobodys_name():
    described = [{"title": "Email", "name": "email", "value": "ivan@example.com"}]
    data = {"email": "ivan@example.com", "ip": "203.0.113.7"}
    nobody = dict.fromkeys(("name", "first_name", "last_name"))
    nameless = {**NETLIFY, **nobody, "human_fields": {"Email": "ivan@example.com"}, "data": data}
    site = Site()
    await site.post(json={**nameless, "ordered_human_fields": described})
    [parsed] = site.parsed()
    assert parsed.sender == Address("email", "ivan@example.com", "")
    assert ("ordered_human_fields.name", "email") in parsed.fields


async def test_the_id_of_a_plain_form_is_not_taken_for_that_of_a_submission():
    site = Site()
    for text in ("one", "two"):
        await site.post(data={"id": "42", "form_id": "7", "message": text})
    assert len({item.key for item in site.inlet.items}) == 2


@pytest.mark.parametrize("encoding", ["data", "json", "files"])
async def test_a_form_of_formspree_is_understood_in_each_encoding(encoding: str):
    fields = {"_replyto": "ivan@example.com", "_subject": "Окна", "message": "Здравствуйте", "_cc": "boss@example.com"}
    form = {**fields, "_next": "https://example.com/thanks", "_gotcha": "", "colour": "белый"}
    site = Site(thanks_url="https://example.com/thanks")
    body: Any = {name: (None, value) for name, value in form.items()} if encoding == "files" else form
    answer = await site.post(headers={"accept": "text/html"}, **{encoding: body})
    assert (answer.status_code, answer.headers["location"]) == (303, "https://example.com/thanks")
    [parsed] = site.parsed()
    assert (parsed.sender.address, parsed.subject, parsed.text) == ("ivan@example.com", "Окна", "Здравствуйте")
    assert [f for f in parsed.fields if f[0] in ("_cc", "colour")] == [("_cc", "boss@example.com"), ("colour", "белый")]
    assert parsed.nature == "ordinary"


async def test_json_of_yandex_forms_is_understood_and_the_answers_id_is_the_key():
    site = Site()
    for text in ("Здравствуйте", "Здравствуйте", "другое"):
        await site.post(json={"answer_id": 77, "Имя": "Иван", "Почта": "ivan@example.com", "Сообщение": text})
        site.later(minutes=11)
    first, again, other = site.inlet.items
    assert first.key == again.key != other.key
    assert site.parsed()[0].sender == Address("email", "ivan@example.com", "Иван")


async def test_an_answer_that_yandex_forms_sends_again_under_another_json_rpc_id_is_the_same():
    site = Site()
    for id_, answer_id, text in ((1, 77, "Здравствуйте"), (2, 77, "Здравствуйте"), (3, 78, "Здравствуйте")):
        params = {"answer_id": answer_id, "email": "ivan@example.com", "message": text}
        await site.post(json={"jsonrpc": "2.0", "method": "send", "params": params, "id": id_})
        site.later(minutes=11)
    first, again, other = site.inlet.items
    assert first.key == again.key != other.key


@pytest.mark.parametrize("id_", [1, "a-7", None])
async def test_json_rpc_of_yandex_forms_is_understood_and_answered_as_json_rpc(id_: object):
    site = Site()
    params = {"name": "Иван", "email": "ivan@example.com", "message": "Здравствуйте", "size": "2x3"}
    answer = await site.post(json={"jsonrpc": "2.0", "method": "send", "params": params, "id": id_})
    [parsed] = site.parsed()
    assert (parsed.sender, parsed.text) == (Address("email", "ivan@example.com", "Иван"), "Здравствуйте")
    assert ("params.size", "2x3") in parsed.fields
    said = answer.json()
    assert (said["result"] if id_ else said)["ok"] is True
    assert said.get("id") == id_ if id_ else "jsonrpc" not in said


@pytest.mark.parametrize("id_", ["9" * 5000, "1e400", "-1e400"])
async def test_a_json_rpc_id_that_nobody_can_repeat_spoils_no_answer(id_: str):
    site = Site()
    body = f'{{"jsonrpc": "2.0", "id": {id_}, "params": {{"message": "Здравствуйте"}}}}'
    answer = await site.post(content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["ok"], len(site.inlet.items)) == (200, True, 1)


async def test_every_field_of_the_published_conventions_is_kept_and_the_known_ones_are_mapped():
    if not CONVENTIONS.exists():
        pytest.skip("1 file of form conventions is not there")
    conventions = json.loads(CONVENTIONS.read_text())
    for fields in published(conventions):
        site = Site()
        assert (await site.post(json=fields)).status_code == 200
        [parsed] = site.parsed()
        assert parsed.sender == Address("email", "ivan@example.com", "Иван")
        assert "Здравствуйте" in parsed.text
        assert {name for name, _ in parsed.fields} == fields.keys()
        assert parsed.nature == "ordinary"


def published(conventions: dict[str, Any]) -> list[dict[str, str]]:
    """One form of each service with every field it names; what is not a client's holds a word of its own."""
    lists = [conventions["formspree"]["special"], conventions["netlify"]["top"]]
    lists.append([*conventions["web3forms/formspree-like"], "text"])
    return [
        conventions["tilda"]["fields"],
        *({name: SAID.get(name, f"value of {name}") for name in each if "honeypot" not in name} for each in lists),
    ]


# --- the channel's own map --------------------------------------------------------------------------------


async def test_the_channels_own_map_says_what_a_field_is_for():
    site = Site(field_map='{"Пожелания": "message", "contact": "email", "email": "service", "Кто вы?": "name"}')
    form = {"contact": "Ivan@Example.com", "email": "noreply@example.com", "Кто вы?": "Иван", "ПОЖЕЛАНИЯ": "окно"}
    await site.post(data=form)
    [parsed] = site.parsed()
    assert (parsed.sender, parsed.text) == (Address("email", "ivan@example.com", "Иван"), "окно")
    assert parsed.fields == tuple(form.items())
