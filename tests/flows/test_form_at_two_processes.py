"""One submission posted at the same moment to two processes is one entry on one timeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import uuid4

import httpx
import pytest

from tests.flows.evidence import bugs, gather, wait_for_inbound, wait_for_no_lag
from tests.flows.stage import Stage

EACH = 5
"""Posts of one submission to each process, all at once."""
ROUNDS = 4
Told = dict[str, str]
Made = Callable[[str], tuple[Told, Told]]
"""A text -> the fields and the headers of its post."""


def by_key(text: str) -> tuple[Told, Told]:
    return {"name": "Вера", "email": "twice@example.com", "message": text}, {"Idempotency-Key": str(uuid4())}


def by_tranid(text: str) -> tuple[Told, Told]:
    """As Tilda posts it; a repetition has the same tranid."""
    fields = {"Name": "Вера", "Email": "twice@example.com", "Textarea": text, "formid": "form1"}
    return {**fields, "tranid": f"{uuid4().int % 10**7}:{uuid4().int % 10**9}"}, {}


def by_content(text: str) -> tuple[Told, Told]:
    return {"name": "Вера", "email": "twice@example.com", "message": text}, {}


async def at_once(urls: list[str], fields: Told, headers: Mapping[str, str]) -> list[httpx.Response]:
    """Post EACH times to each address: connections are open beforehand, so that the posts meet."""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        await asyncio.gather(*(client.options(url) for url in urls for _ in range(EACH)))
        return await asyncio.gather(
            *(client.post(url, data=fields, headers=headers) for _ in range(EACH) for url in urls)
        )


@pytest.mark.parametrize("told", [by_key, by_tranid, by_content])
async def test_a_submission_posted_at_once_to_two_processes_is_one_entry(stage: Stage, told: Made) -> None:
    urls = [stage.form_url(number) for number in range(len(stage.named("ingest")))]
    texts = [f"{told.__name__} {number}: {uuid4()}" for number in range(ROUNDS)]
    answers = {text: await at_once(urls, *told(text)) for text in texts}
    assert {answer.status_code for each in answers.values() for answer in each} == {200}
    ids = {text: {answer.json()["id"] for answer in each} for text, each in answers.items()}
    wait_for_inbound(stage, texts)
    wait_for_no_lag(stage)
    shown = [(entry["text"], entry["id"]) for entry in gather(stage).entries if entry["text"] in ids]
    assert sorted(text for text, _ in shown) == sorted(texts)
    assert all(id_ in ids[text] for text, id_ in shown)
    if told is not by_content:  # the two may stand on either side of a window's end: then the answers name two
        assert {len(each) for each in ids.values()} == {1}
    assert bugs(stage) == []
