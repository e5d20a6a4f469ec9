"""What a key seals a few times only, so with random nonces: other keys, and things that have a key of their own."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.keys.pages import WrongKeyStore

_NONCE_BYTES = 12
_KEY_BYTES = 32


def seal(cipher: AESGCM, id_: str, data: bytes) -> bytes:
    """Return sealed bytes; nonces are random, as a key seals a few times only (NIST SP 800-38D, 8.2.2)."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, id_.encode())


def unseal(cipher: AESGCM, id_: str, sealed: bytes) -> bytes:
    """Raises InvalidTag for what was changed on the way."""
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], id_.encode())


def new_key(wrapping: AESGCM, id_: str) -> bytes:
    """Return a key as it is kept: sealed with the one that follows from OKNO_SECRET_KEY."""
    return seal(wrapping, id_, os.urandom(_KEY_BYTES))


def kept_key(wrapping: AESGCM, id_: str, sealed: bytes) -> AESGCM | None:
    """Return a key that is kept, None for a destroyed one. Raises WrongKeyStore."""
    if not sealed:
        return None
    try:
        return AESGCM(unseal(wrapping, id_, sealed))
    except InvalidTag as error:
        raise WrongKeyStore("OKNO_SECRET_KEY is not the one these keys were made with") from error
