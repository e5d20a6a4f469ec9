"""What servers say when they refuse a login: a wrong password is left alone for long, a busy server is not."""

from __future__ import annotations

import pytest

from shared.channels.email.imap_refusals import is_for_now


@pytest.mark.parametrize(
    "said",
    [
        "[UNAVAILABLE] Temporary authentication failure.",
        "[ALERT] Too many simultaneous connections. (Failure)",
        "[INUSE] Mailbox is locked",
        "[OVERQUOTA] Account exceeded command or bandwidth limits.",
        "Server Unavailable. 15",
        "Request is throttled. Suggested Backoff Time: 299997 milliseconds",
        "User is authenticated but not connected.",
        "Lookup failed 9bc4e7c (gdog#7)",
        "System Error (Failure)",
        "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
        "Service is unavailable",
        "Server Busy. Please try again later.",
        "Internal error occurred. Refer to server log: internal server error",
        "Rate limit hit",
    ],
)
def test_not_now(said: str) -> None:
    assert is_for_now(said)


@pytest.mark.parametrize(
    "said",
    [
        "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        "[AUTHENTICATIONFAILED] Too many failed login attempts, try again later",
        "[AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=abc",
        "[ALERT] Application-specific password required: https://support.google.com/ (Failure)",
        "invalid credentials for collateral@example.ru",
        "Authentication failed. Please check your login and password",
        "LOGIN failed.",
        "AUTHENTICATE failed.",
        "too many failed logins",
        "",
    ],
)
def test_not_at_all(said: str) -> None:
    assert not is_for_now(said)
