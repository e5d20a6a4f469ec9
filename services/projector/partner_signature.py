"""PURE: the signature of a webhook, as https://www.standardwebhooks.com says."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime


def signed(secret: str, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook. `secret`: whsec_ and the key in base64."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
