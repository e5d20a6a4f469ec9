"""Adding a form says how it is used, and what is missing for people to be answered."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.channels.web_form.setup import set_up
from shared.connector import HERE, Channel, SetUp, load

ID = UUID(int=9)


def form(**settings: str) -> Channel:
    return Channel(ID, "web_form", "Site", load("web_form").complete(settings))


def quiet(line: str) -> None:
    pytest.fail(f"said {line}")


async def test_where_the_form_is_is_told() -> None:
    whole = form(allowed_origins="https://example.com", reply_channel=str(UUID(int=3)))
    assert await set_up(whole, "https://okno.example/", quiet) == SetUp(
        (
            f'put a form of ours on a page: <script async src="{HERE}/forms/{ID}.js"></script>',
            f"or give people {HERE}/forms/{ID}",
        )
    )


async def test_what_is_missing_is_told() -> None:
    done = await set_up(form(), "", quiet)
    assert [line.partition(":")[0] for line in done.missing] == ["OKNO_PUBLIC_URL", "allowed_origins", "reply_channel"]
