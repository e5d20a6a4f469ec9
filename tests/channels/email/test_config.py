"""The settings of a mailbox."""

import pytest

from shared.channels.email.config import Server, check, imap_server, smtp_server
from shared.channels.email.oauth_providers import endpoints
from shared.connector import load
from tests.channels.email.mailbox import ADDRESS, mailbox

BOTH = {"imap_host": "imap.example.com", "imap_password": "a", "smtp_host": "smtp.example.com", "smtp_password": "b"}
OAUTH = {**BOTH, "auth": "oauth", "oauth_client_id": "id"}


def test_ports_and_logins_have_defaults() -> None:
    settings = mailbox(**BOTH, smtp_security="starttls").settings
    assert imap_server(settings) == Server("imap.example.com", 993, "tls", ADDRESS, "a")
    assert smtp_server(settings) == Server("smtp.example.com", 587, "starttls", ADDRESS, "b")


def test_a_mailbox_with_oauth_logs_in_without_a_password() -> None:
    settings = mailbox(**OAUTH).settings
    assert imap_server(settings) == Server("imap.example.com", 993, "tls", ADDRESS, "", oauth=True)
    assert smtp_server(settings) == Server("smtp.example.com", 465, "tls", ADDRESS, "", oauth=True)


def test_google_asks_in_the_browser_and_microsoft_by_a_code() -> None:
    google, microsoft = (endpoints(mailbox(**OAUTH, oauth_provider=each).settings) for each in ("google", "microsoft"))
    assert (google.device, google.consent[:28]) == ("", "https://accounts.google.com/")
    assert microsoft.device == "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"


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
        ({**BOTH, "imap_folder": " , "}, "imap_folder names no folder"),
        ({**BOTH, "after_receiving": "move"}, "move_to is required for after_receiving=move"),
        (
            {**BOTH, "after_receiving": "move", "move_to": "B", "imap_folder": "A,B"},
            "move_to is one of the folders that are read",
        ),
        ({**BOTH, "sent_folder": "INBOX"}, "sent_folder is one of the folders that are read"),
        ({"smtp_host": "x", "sent_folder": "Sent"}, "sent_folder needs imap_host"),
        ({**BOTH, "signature": "{operator}\n{phone}"}, "signature: there is no {phone}"),
        ({**BOTH, "reply_key": "secret"}, "reply_key must be at least 16 bytes in hex"),
        ({"receive_by": "smtp"}, "listen_port is required to receive by smtp"),
        ({**BOTH, "auth": "oauth"}, "oauth_client_id is required for auth=oauth"),
        ({**OAUTH, "oauth_provider": "custom"}, "oauth_token_url is required for oauth_provider=custom"),
        ({**OAUTH, "oauth_token_url": "http://id.example/t"}, "oauth_token_url must begin with https://"),
        (
            {**OAUTH, "smtp_security": "none"},
            "smtp with auth=oauth needs tls or starttls: a token must not travel in the open",
        ),
        ({**OAUTH, "oauth_expires_at": "soon"}, "oauth_expires_at must be a time like 2026-11-21T10:00:00Z"),
    ],
)
def test_what_is_wrong_is_said_in_words(settings: dict[str, str], problem: str) -> None:
    assert check(mailbox(**settings).settings) == [problem]


@pytest.mark.parametrize(
    "settings",
    [
        BOTH,
        {"smtp_host": "x"},
        {"imap_host": "x", "imap_password": "y"},
        {"receive_by": "lmtp", "listen_port": "2424"},
        {"receive_by": "smtp", "listen_port": "2525", "imap_host": "x", "sent_folder": "Sent", "smtp_host": "y"},
        OAUTH,
        {**OAUTH, "oauth_provider": "microsoft"},
    ],
)
def test_a_mailbox_may_only_send_or_only_receive(settings: dict[str, str]) -> None:
    assert load("email").problems({"address": ADDRESS, **settings}) == []
