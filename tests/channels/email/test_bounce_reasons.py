"""Why a mail was not delivered, as servers say it: their codes, their words, and at which command they said it."""

from __future__ import annotations

import pytest

from shared.channels.email import bounce_reason
from shared.contracts.inbound import DeliveryNotice
from tests.channels.email.mailbox import ADDRESS, parsed


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("550 5.1.1 no such user here", "5.1.1", "user_unknown"),
        ("542 ivan@example.org Rejected", "5.0.0", "user_unknown"),
        ("550 Rejected", "5.0.0", "rejected"),
        ("550 5.7.1 Access denied", "5.7.1", "security"),
        ("554 <ivan@example.org>... Service unavailable", "5.0.0", "system"),
        ("5.1.0 - Unknown address error 550-'5.7.1 go away'", "5.1.0", "security"),
        ("550-REJECTED - Blacklisted URL in message. See http://lookup.uribl.com", "", "spam"),
        ("The email address wasn’t found at the destination domain. It might not exist any longer", "", "user_unknown"),
        ("451 Could not load the settings of domain (example.org)", "4.0.0", "system"),
        ("malformed address: <a@b> may not follow c@d", "", "syntax"),
        ("Illegal host/domain name found", "5.4.4", "host_unknown"),
        ("The account or domain may not exist, they may be blacklisted", "", "host_unknown"),
    ],
)
def test_what_is_said_and_its_code_make_the_reason(said: str, status: str, reason: str) -> None:
    assert bounce_reason.of(said, said, status, said[:3]) == reason


@pytest.mark.parametrize(
    ("said", "beside", "reason"),
    [
        ("550 Unknown user ivan@example.org", "(in reply to RCPT TO command)", "user_unknown"),
        ("550 Unknown user ivan@example.org", "(in reply to end of DATA command)", "filtered"),
        ("554 This user doesn't have an example.org account", "(in reply to end of DATA command)", "user_unknown"),
        ("550 Invalid recipient", "(in reply to end of DATA command)", "user_unknown"),
        ("550 unknown user", "(in reply to MAIL FROM command)", "rejected"),
        ("501 Invalid domain name", "Connected to 192.0.2.1 but my name was rejected.", "blocked"),
        ("550 user unknown", "The user(s) account is disabled.", "suspended"),
    ],
)
def test_the_same_words_mean_something_else_at_another_command(said: str, beside: str, reason: str) -> None:
    assert bounce_reason.of(said, f"{said} {beside}", "5.0.0", said[:3]) == reason


def bounce(text: str, content_type: str = "text/plain") -> DeliveryNotice:
    head = f"From: MAILER-DAEMON@mx.example.com\nTo: {ADDRESS}\nSubject: Undelivered Mail Returned to Sender\n"
    message = parsed(f"{head}Content-Type: {content_type}\n\n{text}".encode())
    assert message.nature == "bounce"
    assert message.about is not None
    assert message.about.delivery is not None
    return message.about.delivery


REPORT = """Final-Recipient: rfc822; ivan@example.org
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
"""


def test_a_report_that_became_text_is_read_like_one() -> None:
    found = bounce(f"This is a MIME-encapsulated message\n\n--x\nContent-Type: message/delivery-status\n\n{REPORT}")
    assert (found.recipient, found.code, found.reason, found.hard) == (
        "ivan@example.org", "552 5.2.2", "mailbox_full", False
    )  # fmt: skip


def test_a_report_that_was_wrapped_on_its_way_is_read_like_one() -> None:
    inner = (
        "From: b@c\nContent-Type: multipart/report; boundary=i\n\n--i\n\nSorry\n--i\n"
        f"Content-Type: message/delivery-status\n\n{REPORT}\n--i--"
    )
    found = bounce(
        f"--o\n\nThe mail could not be delivered\n--o\nContent-Type: message/rfc822\n\n{inner}\n--o--\n",
        "multipart/mixed; boundary=o",
    )
    assert (found.recipient, found.reason) == ("ivan@example.org", "mailbox_full")


def test_an_answer_below_what_looks_like_a_header_is_found() -> None:
    found = bounce(
        "We had trouble delivering your message to ivan@example.org. Full details follow:\n\n"
        "Subject: 'Order'\nDate: 'Thu, 29 Apr 2012 23:34:45 +0000'\n\n"
        "Server <mx.example.org> refused. It responded as follows: [550 5.1.1 User unknown]\n"
    )
    assert (found.reason, found.hard) == ("user_unknown", True)
    assert found.error == "there is no such mailbox: 550 5.1.1 User unknown]"


def test_an_exit_status_is_not_shown_as_the_reason() -> None:
    found = bounce(
        "--o\n\nThe mail could not be delivered\n550 5.0.0 <ivan@example.org>... Insufficient permission\n--o\n"
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ivan@example.org\nAction: failed\n"
        "Status: 5.3.0\nDiagnostic-Code: X-Unix; 77\n--o--\n",
        "multipart/report; boundary=o",
    )
    assert "Insufficient permission" in found.error
