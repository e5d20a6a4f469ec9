"""Mails as clients' programs write them: a first one, and a reply that follows the rules of RFC 5322, 3.6.4."""

import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime


def parsed(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=SMTP)
    assert isinstance(found, EmailMessage)
    return found


def text_of(raw: bytes) -> str:
    """The plain text of a mail with \\n as line ends."""
    body = parsed(raw).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def first_mail(sender: str, to: str, subject: str, text: str, message_id: str, name: str = "") -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"{name} <{sender}>" if name else sender
    mail["To"], mail["Subject"], mail["Message-ID"] = to, subject, message_id
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail.set_content(text)
    return mail.as_bytes()


def answer_to(raw: bytes, sender: str, text: str, message_id: str) -> bytes:
    """What a mail program sends when its user answers `raw`: threaded, the subject with one Re:, the text quoted."""
    received = parsed(raw)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Message-ID"] = sender, str(received["From"]), message_id
    subject = str(received["Subject"])
    mail["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    mail["In-Reply-To"] = str(received["Message-ID"])
    mail["References"] = " ".join(filter(None, (str(received["References"] or ""), str(received["Message-ID"]))))
    mail["Date"] = format_datetime(datetime.now(UTC))
    quoted = "\n".join(f"> {line}" for line in text_of(raw).splitlines())
    mail.set_content(f"{text}\n\nOn Sat, 21 Nov 2026 at 14:05, {received['From']} wrote:\n{quoted}\n")
    return mail.as_bytes()
