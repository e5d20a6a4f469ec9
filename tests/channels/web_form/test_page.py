"""The channel's own form: what the setting may say, the script of one line, and the page that needs no JavaScript."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from shared.channels.web_form.definition import DEFAULT, FormField, WrongDefinition, form_fields, form_title
from shared.connector import load
from tests.channels.web_form.site import CHANNEL_ID, Site

RUSSIAN, ENGLISH = {"accept-language": "ru-RU,ru;q=0.9,en;q=0.8"}, {"accept-language": "en-GB"}
BROWSER = {"accept": "text/html,application/xhtml+xml"}
HOSTILE = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(1)>\u2028"


class Page(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def fields(self) -> dict[str, dict[str, str]]:
        return {a["name"]: a for tag, a in self.elements if tag in ("input", "textarea", "select")}

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


# --- the setting ------------------------------------------------------------------------------------------


def test_an_empty_setting_is_the_default_form():
    assert form_fields("") == DEFAULT
    assert [field.name for field in DEFAULT] == ["name", "email", "phone", "message", "consent"]


def test_a_field_has_a_label_in_each_language_a_type_and_may_be_required():
    setting = json.dumps([
        {"name": "Размер", "label": {"ru": "Размер окна", "en": "Size"}, "type": "select", "options": ["2x3"]},
        {"name": "email", "label": "E-mail", "type": "email", "required": True},
        {"name": "x"},
    ])  # fmt: skip
    assert form_fields(setting) == (
        FormField("Размер", {"ru": "Размер окна", "en": "Size"}, "select", False, ("2x3",)),
        FormField("email", {"ru": "E-mail", "en": "E-mail"}, "email", True),
        FormField("x", {"ru": "x", "en": "x"}),
    )


@pytest.mark.parametrize(
    "setting",
    [
        "name",
        "{}",
        "[]",
        "[1]",
        '[{"label": "x"}]',
        '[{"name": ""}]',
        '[{"name": "_key"}]',
        '[{"name": "a", "type": "password"}]',
        '[{"name": "a", "required": "yes"}]',
        '[{"name": "a", "label": {"de": "x"}}]',
        '[{"name": "a", "label": 7}]',
        '[{"name": "a", "colour": "red"}]',
        '[{"name": "a", "type": "select"}]',
        '[{"name": "a", "options": ["b"]}]',
        '[{"name": "a"}, {"name": "a"}]',
        "[" * 100_000,
    ],
)
def test_a_wrong_definition_is_refused_in_words(setting: str):
    with pytest.raises(WrongDefinition, match="fields"):
        form_fields(setting)
    assert load("web_form").problems({"fields": setting})


def test_a_title_is_a_text_or_one_for_each_language():
    assert form_title("Окна") == {"ru": "Окна", "en": "Окна"}
    assert form_title('{"ru": "Окна", "en": "Windows"}') == {"ru": "Окна", "en": "Windows"}
    assert load("web_form").problems({"title": '{"ru": 1}'}) == [
        "fields: a label of title must have 1 to 1000 characters"
    ]


# --- the page ---------------------------------------------------------------------------------------------


async def test_the_page_is_a_form_that_posts_without_javascript():
    answer = await Site().get(headers=RUSSIAN)
    page = Page(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    [form] = page.all("form")
    assert (form["method"], form["action"]) == ("post", f"/in/forms/{CHANNEL_ID}")
    fields = page.fields()
    assert list(fields)[:5] == ["name", "email", "phone", "message", "consent"]
    assert "required" in fields["email"]
    assert fields["consent"]["value"] == "Я согласен на обработку моих персональных данных"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.5, ru;q=0.8", "ru"),
        ("uk, en;q=0.9", "ru"),
        ("uk;q=0.5, en;q=0.9", "en"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de, fr", "en"),
        ("ru;q=0, en;q=0.1", "en"),
        (";;q=x,,*", "en"),
        ("", "en"),
    ],
)
async def test_the_page_speaks_the_language_of_the_browser(accepted: str, language: str):
    answer = await Site().get(headers={"accept-language": accepted})
    assert answer.headers["content-language"] == language
    assert (">Отправить<" in answer.text) == (language == "ru")
    assert answer.headers["vary"] == "Accept-Language"


async def test_the_address_may_name_the_language():
    assert (await Site().get("?lang=ru", headers=ENGLISH)).headers["content-language"] == "ru"


async def test_a_post_of_the_page_leads_to_its_thanks_and_the_same_page_posted_twice_is_one_entry():
    site = Site()
    fields = {name: a.get("value", "") for name, a in Page((await site.get(headers=RUSSIAN)).text).fields().items()}
    fields |= {"_shown_at": str(int(site.at.timestamp()) - 30), "email": "a@example.com", "message": "Здравствуйте"}
    for _ in range(2):
        answer = await site.post(headers={**BROWSER, "origin": "http://okno.test"}, data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/forms/{CHANNEL_ID}?sent=1&lang=ru")
        site.later(hours=1)
    changed = await site.post(headers=BROWSER, data={**fields, "message": "Ещё вопрос"})
    assert changed.status_code == 303
    first, second, third = site.inlet.items
    assert first.key == second.key != third.key
    parsed = site.parsed()[0]
    assert (parsed.text, parsed.nature) == ("Здравствуйте", "ordinary")
    shown = ["name", "email", "phone", "message", "consent", "consent_record"]
    assert [name for name, _ in parsed.fields] == shown
    assert "Спасибо" in (await site.get("?sent=1&lang=ru")).text


async def test_two_visitors_get_pages_of_their_own():
    site = Site()
    keys = {Page((await site.get()).text).fields()["_key"]["value"] for _ in range(2)}
    assert len(keys) == 2
    assert (await site.get()).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("field", "status"), [({"message": " "}, 422), ({"message": "x"}, 429)])
async def test_a_person_whose_post_is_refused_is_told_so_in_words(field: dict[str, str], status: int):
    site = Site(rate_limit="1")
    if status == 429:
        await site.post(data=field)
    answer = await site.post(headers={**BROWSER, **RUSSIAN, "origin": "http://okno.test"}, data=field)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "Вернитесь на страницу назад" in answer.text
    assert ("retry-after" in answer.headers) == (status == 429)


async def test_the_page_lets_nothing_foreign_in_and_stands_in_frames_of_the_channels_sites_only():
    site = Site(allowed_origins="https://shop.example", thanks_url="https://shop.example/thanks")
    policy = (await site.get()).headers["content-security-policy"]
    assert re.sub(r"sha256-[^']+", "HASH", policy) == (
        "default-src 'none'; script-src 'self'; style-src 'HASH'; connect-src 'self'; "
        "form-action 'self' https://shop.example; base-uri 'none'; frame-ancestors 'self' https://shop.example"
    )


async def test_hostile_labels_stay_texts_on_the_page_and_in_the_script():
    fields = json.dumps([{"name": HOSTILE.strip(), "label": HOSTILE, "type": t} for t in ("consent",)])
    site = Site(fields=fields.replace("\\u2028", ""), title=HOSTILE)
    page = Page((await site.get()).text)
    assert [a.get("src") for a in page.all("script")] == [f"/forms/{CHANNEL_ID}.js"]
    assert page.all("img") == []
    assert HOSTILE.replace("\u2028", "") in page.fields()
    assert "</script>" not in (await site.get(".js")).text


# --- the script -------------------------------------------------------------------------------------------


async def test_the_script_is_small_cached_and_readable_by_any_site():
    answer = await Site().get(".js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert len(answer.content) < 10_000
    assert str(CHANNEL_ID) in answer.text
    assert "CONFIG" not in answer.text
    assert "cookie" not in answer.text.split("*/")[-1].split("\n", 1)[1]
