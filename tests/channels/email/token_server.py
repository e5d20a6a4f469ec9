"""A strict OAuth 2.0 server in the test's own loop: token, device and consent endpoints (RFC 6749, 8628, 7636)."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIENT_ID, CLIENT_SECRET = "client-1", "client-secret"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class TokenServer:
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-0"})
    rotates: bool = False
    """As Microsoft does: every answer has a new refresh token, the old one stays good."""
    expires_in: int = 3600
    extra: dict[str, Any] = field(default_factory=dict)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Given instead of the right ones, first to last."""
    pending: int = 0
    issued: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    challenge: str = ""
    port: int = 0

    @property
    def settings(self) -> dict[str, str]:
        base = f"http://127.0.0.1:{self.port}"
        return {
            "auth": "oauth",
            "oauth_provider": "custom",
            "oauth_client_id": CLIENT_ID,
            "oauth_client_secret": CLIENT_SECRET,
            "oauth_token_url": f"{base}/token",
            "oauth_scope": "mail",
        }

    @property
    def device_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/device"

    @asynccontextmanager
    async def listening(self) -> "AsyncIterator[TokenServer]":
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await reader.readline()).decode().split()
        length = 0
        while line := (await reader.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        form = {name: values[0] for name, values in parse_qs((await reader.readexactly(length)).decode()).items()}
        self.forms.append(form)
        status, answer = self._answer(method, urlsplit(target).path, form)
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    def _answer(self, method: str, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.answers:
            return self.answers.pop(0)
        if method != "POST" or form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return 401, {"error": "invalid_client"}
        if path == "/device":
            told = {"device_code": "d-1", "user_code": "ABCD-EFGH", "verification_uri": "http://127.0.0.1/device"}
            return 200, {**told, "interval": 0.01, "expires_in": 900}
        match form.get("grant_type"):
            case "refresh_token" if form.get("refresh_token") in self.refresh_tokens:
                return 200, self._grant(with_refresh=self.rotates)
            case "authorization_code" if form.get("code") == "code-1" and self._proves(form.get("code_verifier", "")):
                return 200, self._grant(with_refresh=True)
            case grant if grant == DEVICE_CODE and form.get("device_code") == "d-1":
                if self.pending:
                    self.pending -= 1
                    return 400, {"error": "authorization_pending"}
                return 200, self._grant(with_refresh=True)
        return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}

    def _grant(self, *, with_refresh: bool) -> dict[str, Any]:
        self.issued.append(f"access-{len(self.issued) + 1}")
        answer = {"access_token": self.issued[-1], "token_type": "Bearer", "expires_in": self.expires_in, **self.extra}
        if with_refresh:
            answer["refresh_token"] = f"refresh-{len(self.issued)}"
            self.refresh_tokens.add(str(answer["refresh_token"]))
        return answer

    def _proves(self, verifier: str) -> bool:
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return made == self.challenge
