"""Adding a channel says where the provider must post, and what is missing to call from Okno."""

from __future__ import annotations

import pytest

from shared.channels.telephony.setup import set_up
from shared.connector import SetUp
from tests.channels.telephony.phone import channel

PROVIDERS = ["generic", "twilio", "mango", "zadarma", "uis"]


def quiet(line: str) -> None:
    pytest.fail(f"said {line}")


def no_calls_without(setting: str) -> str:
    return f"{setting}: without it no call can be started from Okno, numbers are only shown as tel: links"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_address_for_the_provider_is_told(provider: str) -> None:
    made = channel(provider)
    done = await set_up(made, "https://okno.example/", quiet)
    (fact,) = done.facts
    assert f"https://okno.example/in/telephony/{made.id}" in fact


async def test_twilio_keeps_the_public_address_that_it_signs() -> None:
    done = await set_up(channel("twilio"), "https://okno.example", quiet)
    assert done.settings == {"public_url": "https://okno.example"}
    assert done.missing == (no_calls_without("caller_number"),)
    own = await set_up(channel("twilio", public_url="https://calls.example"), "https://okno.example", quiet)
    assert own.settings == {}
    assert "https://calls.example/in/telephony/" in own.facts[0]


async def test_what_is_there_is_not_missing() -> None:
    done = await set_up(channel("uis", access_token="t", caller_number="+74951234567"), "https://okno.example", quiet)
    assert (done.missing, done.settings) == ((), {})
    assert isinstance(done, SetUp)


async def test_uis_with_a_number_to_show_but_no_key_of_its_api_is_told_why_it_can_only_be_dialled() -> None:
    done = await set_up(channel("uis", caller_number="+74951234567"), "https://okno.example", quiet)
    no_history = "access_token: without it the provider's history is not asked for calls whose webhooks never came"
    assert done.missing == (no_calls_without("access_token"), no_history)


async def test_without_a_public_address_that_is_what_is_missing() -> None:
    done = await set_up(channel("mango"), "", quiet)
    assert "https://.../in/telephony/" in done.facts[0]
    assert done.missing == ("OKNO_PUBLIC_URL: the provider can post only to an address that it can reach",)
