"""One submission, one key: what is a repetition, at one process and at two."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.channels.web_form import once
from shared.contracts.inbound import inbound_id
from shared.parsed import Parsed
from tests.channels.web_form.site import CHANNEL_ID, FORM, START, Site


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
