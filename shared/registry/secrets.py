"""Channel secrets at rest: Fernet with a key derived from OKNO_SECRET_KEY."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WrongKey(Exception):
    """The secrets were encrypted with another OKNO_SECRET_KEY."""


class SecretBox:
    """Encrypts small mappings; `secret_key` is 32 bytes."""

    def __init__(self, secret_key: bytes) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"okno channel secrets").derive(secret_key)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, values: Mapping[str, str]) -> str:
        return self._fernet.encrypt(json.dumps(dict(values)).encode()).decode()

    def open(self, sealed: str) -> dict[str, str]:
        """Raises WrongKey."""
        try:
            values: dict[str, str] = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken as error:
            raise WrongKey("OKNO_SECRET_KEY is not the one these channels were added with") from error
        return values
