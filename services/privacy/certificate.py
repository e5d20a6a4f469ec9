"""What proves an erasure: what was destroyed, when and by whom, signed; nothing of what it was.

The key pair follows from OKNO_SECRET_KEY (Ed25519, RFC 8032), so anybody who was told the public key once can check.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.keys.derive import derived


def signed(body: dict[str, Any], secret_key: bytes) -> dict[str, Any]:
    """Return the certificate: the body with the public key and the signature of both."""
    key = Ed25519PrivateKey.from_private_bytes(derived(secret_key, "certificates"))
    whole = {**body, "public_key": b64encode(key.public_key().public_bytes_raw()).decode()}
    return {**whole, "signature": b64encode(key.sign(_bytes(whole))).decode()}


def is_genuine(certificate: dict[str, Any]) -> bool:
    """Return whether a certificate is as it was signed by the holder of its public key."""
    body = {name: value for name, value in certificate.items() if name != "signature"}
    try:
        public = Ed25519PublicKey.from_public_bytes(b64decode(certificate["public_key"]))
        public.verify(b64decode(certificate["signature"]), _bytes(body))
    except (InvalidSignature, KeyError, ValueError):
        return False
    return True


def _bytes(body: dict[str, Any]) -> bytes:
    """JSON with sorted keys and without spaces, in UTF-8."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
