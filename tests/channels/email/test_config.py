"""The settings of a mailbox."""

import pytest

from shared.channels.email.config import Server, check, imap_server, smtp_server
from shared.connector import load
from tests.channels.email.mailbox import ADDRESS, mailbox

BOTH = {"imap_host": "imap.example.com", "imap_password": "a", "smtp_host": "smtp.example.com", "smtp_password": "b"}


def test_ports_and_logins_have_defaults() -> None:
    settings = mailbox(**BOTH, smtp_security="starttls").settings
    assert imap_server(settings) == Server("imap.example.com", 993, "tls", ADDRESS, "a")
    assert smtp_server(settings) == Server("smtp.example.com", 587, "starttls", ADDRESS, "b")


def test_without_a_password_mail_is_sent_without_login() -> None:
    settings = mailbox(smtp_host="localhost", smtp_security="none").settings
    assert smtp_server(settings) == Server("localhost", 25, "none", "", "")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "give imap_host to receive, smtp_host to send, or both"),
        ({"imap_host": "x"}, "imap_password is required to receive"),
        ({**BOTH, "address": "support"}, "address must look like support@example.com"),
        ({**BOTH, "imap_port": "99999"}, "imap_port must be a port number"),
        ({**BOTH, "first_fetch": "-1"}, "first_fetch must be all, new or a number of days"),
        ({**BOTH, "imap_folder": "a\r\nb"}, "imap_folder contains a control character"),
    ],
)
def test_what_is_wrong_is_said_in_words(settings: dict[str, str], problem: str) -> None:
    assert check(mailbox(**settings).settings) == [problem]


@pytest.mark.parametrize("settings", [BOTH, {"smtp_host": "x"}, {"imap_host": "x", "imap_password": "y"}])
def test_a_mailbox_may_only_send_or_only_receive(settings: dict[str, str]) -> None:
    assert load("email").problems({"address": ADDRESS, **settings}) == []
