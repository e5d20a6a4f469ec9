"""What a client agreed to is kept with the text shown, the time, the address and the page."""

from __future__ import annotations

import pytest

from tests.channels.web_form.site import Site

TEXT = "Я согласен на обработку моих персональных данных"
WHEN = "2026-11-21T12:05:00.000000Z · 127.0.0.1"


async def records(site: Site, fields: dict[str, str], **headers: str) -> list[str]:
    await site.post(data={"email": "a@example.com", "message": "?", **fields}, headers=headers)
    parsed = site.parsed()[0]
    assert parsed.text == "?"
    assert set(fields.items()) <= set(parsed.fields)
    return [value for name, value in parsed.fields if name == "consent_record"]


async def test_a_box_of_ours_is_recorded_with_the_text_shown():
    assert await records(Site(), {"consent": TEXT}) == [f"{TEXT} · {WHEN}"]


async def test_the_page_is_recorded_where_the_browser_tells_it():
    site = Site(allowed_origins="https://shop.example")
    headers = {"referer": "https://shop.example/contact", "origin": "https://shop.example"}
    assert await records(site, {"consent": TEXT}, **headers) == [f"{TEXT} · {WHEN} · https://shop.example/contact"]


async def test_a_form_of_ours_that_was_sent_later_tells_its_page_and_when_the_button_was_pressed():
    told = {"consent": TEXT, "_page": "https://shop.example/contact", "_sent_at": "2026-11-21T09:00:00.000Z"}
    [record] = await records(Site(), told)
    expected = f"{TEXT} · {WHEN} · https://shop.example/contact · sent 2026-11-21T09:00:00.000Z by the visitor's clock"
    assert record == expected


async def test_a_foreign_box_is_recorded_by_the_label_of_the_channels_form_else_by_its_name():
    fields = '[{"name": "agree", "type": "consent", "label": {"ru": "Согласен с офертой", "en": "I accept the offer"}}]'
    form = {"agree": "on", "Согласие на рассылку": "да"}
    assert await records(Site(fields=fields), form) == [
        f"Согласен с офертой / I accept the offer · {WHEN}",
        f"Согласие на рассылку · {WHEN}",
    ]


async def test_nobody_is_said_to_have_seen_the_text_of_a_form_that_is_not_in_use():
    assert await records(Site(), {"consent": "on"}) == [f"consent · {WHEN}"]


@pytest.mark.parametrize("value", ["", "0", "false", "off", "Нет"])
async def test_a_box_that_says_no_is_no_consent(value: str):
    assert await records(Site(), {"consent": value}) == []


async def test_a_record_that_was_posted_is_none():
    site = Site()
    await site.post(data={"email": "a@example.com", "message": "?", "consent_record": "yes · 2026-99-99T00:00:00Z"})
    [parsed] = site.parsed()
    assert parsed.fields[2:] == (("consent_record (typed)", "yes · 2026-99-99T00:00:00Z"),)
