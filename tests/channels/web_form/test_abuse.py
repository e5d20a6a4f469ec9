"""Spam is kept as spam, floods are told when to come back, and nobody's address is believed unasked."""

from __future__ import annotations

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.channels.web_form.rate import network
from tests.channels.web_form.site import START, Site

FORM = {"name": "Иван", "email": "ivan@example.com", "message": "Здравствуйте"}


async def natures(site: Site, *posts: dict[str, str]) -> list[str]:
    for fields in posts:
        assert (await site.post(data={**FORM, **fields})).json()["ok"] is True
    return [parsed.nature for parsed in site.parsed()]


@pytest.mark.parametrize("name", ["_gotcha", "bot-field", "botcheck", "data[bot-field]", "_honey", "website2"])
async def test_a_honeypot_that_is_filled_in_makes_spam_of_a_post_answered_like_any_other(name: str):
    assert await natures(Site(honeypot="website2"), {name: "http://buy.example"}) == ["spam"]


@pytest.mark.parametrize("value", ["", "  ", "false"])
async def test_a_honeypot_left_empty_does_not(value: str):
    assert await natures(Site(), {"botcheck": value}) == ["ordinary"]


async def test_a_form_sent_sooner_than_a_person_can_type_is_spam():
    shown = int(START.timestamp())
    posts = [{"_elapsed": "0"}, {"_elapsed": "1.9"}, {"_elapsed": "2"}, {"_elapsed": "soon"}, {"_elapsed": "-1"}]
    posts += [{"_shown_at": str(shown - 1)}, {"_shown_at": str(shown - 60)}, {"_shown_at": str(shown + 60)}, {}]
    expected = ["spam", "spam", "ordinary", "ordinary", "ordinary", "spam", "ordinary", "ordinary", "ordinary"]
    assert await natures(Site(), *posts) == expected
    assert await natures(Site(least_seconds="0"), {"_elapsed": "0"}) == ["ordinary"]


async def test_what_our_own_form_adds_is_not_shown_among_the_fields():
    site = Site()
    await natures(site, {"_gotcha": "", "_elapsed": "9", "_key": "k", "_shown_at": "1", "_page": "https://a.example/"})
    assert site.parsed()[0].fields == (*FORM.items(), ("_page", "https://a.example/"))


# --- floods -----------------------------------------------------------------------------------------------


async def test_an_address_that_posts_too_often_does_not_keep_others_from_posting():
    site = Site(rate_limit="2")
    statuses = []
    for site.remote in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2"):
        statuses.append((await site.post(data=FORM)).status_code)
    assert statuses == [200, 200, 429, 200]


async def test_one_subscriber_of_ipv6_is_one_address_whatever_the_last_half():
    site = Site(rate_limit="2")
    statuses = []
    for site.remote in ("2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"):
        statuses.append((await site.post(data=FORM)).status_code)
    assert statuses == [200, 200, 429, 200]


@pytest.mark.parametrize(
    ("remote", "counted"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_an_address_is_counted_as_its_network(remote: str, counted: str):
    assert network(remote) == counted


async def test_a_form_takes_no_more_than_its_own_limit_from_all_addresses_together():
    site = Site(rate_limit="10", form_rate_limit="3")
    answers = []
    for number in range(4):
        site.remote = f"203.0.113.{number}"
        answers.append(await site.post(data=FORM))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["retry-after"] == "20"
    site.later(seconds=20)
    assert (await site.post(data=FORM)).status_code == 200


async def test_without_a_limit_of_its_own_a_form_takes_a_hundred_times_that_of_an_address():
    site = Site(rate_limit="1")
    statuses = []
    for number in range(101):
        site.remote = f"203.0.113.{number}"
        statuses.append((await site.post(data=FORM)).status_code)
    assert statuses == [200] * 100 + [429]


# --- whose address ----------------------------------------------------------------------------------------


async def test_a_forwarded_address_is_not_believed_of_just_anybody():
    site = Site()
    await site.post(headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}, data=FORM)
    assert site.inlet.items[0].context["remote"] == "127.0.0.1"


async def test_behind_a_named_proxy_the_address_is_the_last_one_that_no_proxy_of_ours_added():
    site = Site()
    site.app = ProxyHeadersMiddleware(site.app, trusted_hosts="127.0.0.1,10.0.0.0/8")  # type: ignore[assignment]
    for forwarded in ("198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"):
        await site.post(headers={"X-Forwarded-For": forwarded}, data=FORM)
    assert [item.context["remote"] for item in site.inlet.items] == ["203.0.113.9", "203.0.113.9"]
