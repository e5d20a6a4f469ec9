"""What an SMTP server's answer, or its silence, means for a reply, PURE: one class of SendError for each."""

from __future__ import annotations

import re
import ssl
from typing import NoReturn

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from shared.channels.email.oauth import ConsentEnded
from shared.connector import SendDelayed, SenderBroken, SendRefused
from shared.said import said

QUOTA_PAUSE_SECONDS = 3600.0

_LOGIN_CODES = frozenset({530, 534, 535, 538})
"""Authentication required, too weak or failed, encryption required (RFC 4954, section 6)."""
_CONGESTED = re.compile(r"\b5\.4\.5\b")
"""Mail system congestion (RFC 3463, 3.5): Gmail says so when the day's quota is used up, with a final code."""


def raise_send_error(error: Exception, *, connecting: bool = False) -> NoReturn:
    """Raise what it means for the reply (RFC 5321, 4.2.1)."""
    if isinstance(error, SMTPResponseException):
        _raise_answer(error, connecting)
    if isinstance(error, ConsentEnded):
        raise SenderBroken(said(error)) from error
    if _is_certificate(error):
        raise SenderBroken(f"the server's certificate is not trusted: {words(error)}") from error
    if isinstance(error, aiosmtplib.SMTPNotSupported | ValueError) or (connecting and type(error) is SMTPException):
        raise SenderBroken(f"the server cannot do what the settings ask for: {words(error)}") from error
    raise SendDelayed(f"the server cannot be reached: {words(error)}") from error


def words(error: BaseException) -> str:
    """Return the server's or the system's words on one line."""
    text = error.message if isinstance(error, SMTPException) else str(error)
    return " ".join(str(text).split())[:500] or type(error).__name__


def _raise_answer(error: SMTPResponseException, connecting: bool) -> NoReturn:
    code, text = str(error.code), f"{error.code} {words(error)}{_whose(error)}"
    if 400 <= error.code < 500:
        raise SendDelayed(text, code) from error
    if connecting or error.code in _LOGIN_CODES:
        raise SenderBroken(text, code) from error
    if _CONGESTED.search(text):
        raise SendDelayed(text, code, QUOTA_PAUSE_SECONDS) from error
    raise SendRefused(text, code) from error


def _whose(error: SMTPResponseException) -> str:
    """Of several recipients one is refused: say which, where the server has not."""
    refused = error.recipient if isinstance(error, aiosmtplib.SMTPRecipientRefused) else ""
    return f" ({refused})" if refused and refused.lower() not in error.message.lower() else ""


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
