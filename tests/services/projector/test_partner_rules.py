"""The pure rules of webhooks: when to try again, where they may go, how they are signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from services.projector.partner_retry import GIVE_UP_AFTER, next_try, seconds_asked
from services.projector.partner_signature import signed
from shared.registry.partner_address import refusal, url_problem

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)


def test_tries_double_up_to_an_hour_until_three_days_are_over() -> None:
    waits: list[float] = []
    at, tries = AT, 1
    while (again := next_try(tries, AT, at, None, 0.5)) is not None:
        waits.append((again - at).total_seconds())
        at, tries = again, tries + 1
    assert waits[:11] == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert set(waits[11:-1]) == {3600.0}
    assert at == AT + GIVE_UP_AFTER


def test_jitter_is_a_fifth_either_way() -> None:
    assert [next_try(1, AT, AT, None, luck) for luck in (0.0, 1.0)] == [
        AT + timedelta(seconds=4), AT + timedelta(seconds=6)
    ]  # fmt: skip


def test_a_partner_that_says_when_is_believed_within_the_three_days() -> None:
    assert next_try(1, AT, AT, 120.0, 0.5) == AT + timedelta(seconds=120)
    assert next_try(10, AT, AT, 1.0, 0.5) == AT + timedelta(seconds=2560)
    assert next_try(1, AT, AT, 1e9, 0.5) == AT + GIVE_UP_AFTER
    assert next_try(1, AT, AT + GIVE_UP_AFTER, 5.0, 0.5) is None


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("120", 120.0), ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0), ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
     ("Sat Nov 21 12:01:00 2026", 60.0), ("Saturday, 21-Nov-26 12:01:00 GMT", 60.0), ("", None), ("soon", None),
     ("-5", None), ("9" * 400, None), ("٣", None), (f"Sat, 21 Nov {'9' * 30} 12:01:00 GMT", None),
     (f"Sat, 21 Nov 2026 {'9' * 30}:01:00 GMT", None), (f"Sat, 21 Nov 2026 12:01:00 +{'9' * 12}", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(given: str, seconds: float | None) -> None:
    assert seconds_asked(given, AT) == seconds


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
)  # fmt: skip
def test_an_address_inside_is_refused(address: str) -> None:
    assert refusal(ip_address(address), (), encrypted=True) is not None


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_an_address_on_the_internet_is_allowed_when_encrypted(address: str) -> None:
    assert refusal(ip_address(address), (), encrypted=True) is None
    assert refusal(ip_address(address), LOOPBACK, encrypted=False) is not None


def test_a_network_that_is_named_is_allowed_and_no_other() -> None:
    assert refusal(ip_address("127.0.0.1"), LOOPBACK, encrypted=False) is None
    assert refusal(ip_address("::ffff:127.0.0.1"), LOOPBACK, encrypted=False) is None
    assert refusal(ip_address("10.0.0.1"), LOOPBACK, encrypted=True) is not None


@pytest.mark.parametrize(
    "url",
    ["", "partner.example", "ftp://partner.example/", "https://", "https://user:pass@partner.example/",
     "https://partner.example/#x", "https://partner.example:99999/", "https://[::1", "https://127.0.0.1/",
     "https://partner.example/a b", "https://пример.рф/", "https://partner.example/\r\nX: y", "http://partner.example/",
     "https://[::ffff:10.0.0.1]/", "https://partner.example/" + "x" * 2000, "file:///etc/passwd"],
)  # fmt: skip
def test_what_is_no_address_of_a_partner_is_refused_at_once(url: str) -> None:
    assert url_problem(url, ()) is not None


def test_ordinary_urls_are_accepted() -> None:
    assert url_problem("https://partner.example:8443/in?token=1", ()) is None
    assert url_problem("http://127.0.0.1:8080/", LOOPBACK) is None
    assert url_problem("http://crm.intern/", LOOPBACK) is None


def test_a_signature_is_the_one_of_standard_webhooks() -> None:
    # The example of the specification's reference libraries.
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}',
    )  # fmt: skip
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
