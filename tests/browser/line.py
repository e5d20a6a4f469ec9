"""A telephone line of a PBX of one's own: tells of calls as Standard Webhooks says, and has their recordings."""

import base64
import hmac
import http.server
import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx

from tests.flows.stage import Stage, eventually

KEY = b"a key of twenty-four byt"
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """`url`: where it posts; `recordings`: where its recordings lie."""

    url: str
    recordings: str

    def tell(self, state: str, number: str, call_id: str = "", **facts: object) -> httpx.Response:
        """Tell of a call of this number."""
        call = {"call_id": call_id or f"call-{number}", "from": number, "to": "+74951234567", "direction": "inbound"}
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = json.dumps({"type": f"call.{state}", "timestamp": at, "data": call | facts}).encode()
        answer = httpx.post(self.url, content=body, headers=signed(body), trust_env=False, verify=False, timeout=20)
        return answer.raise_for_status()


def signed(body: bytes) -> dict[str, str]:
    id_, stamp = uuid4().hex, str(int(time.time()))
    signature = base64.b64encode(hmac.digest(KEY, f"{id_}.{stamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def secret() -> str:
    return "whsec_" + base64.b64encode(KEY).decode()


@contextmanager
def open_line(stage: Stage) -> Iterator[Line]:
    """Add a line to a running Okno, and serve its recordings on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Recordings)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        recordings = f"http://127.0.0.1:{server.server_port}"
        settings = {"provider": "generic", "country": "RU", "secret": secret(), "api_url": recordings}
        id_ = stage.add_channel("telephony", f"line-{uuid4().hex[:6]}", settings)
        url = f"{stage.named('ingest')[0].url}/in/telephony/{id_}"
        eventually(
            lambda: httpx.post(url, content=b"{}", timeout=20, trust_env=False, verify=False).status_code == 401,
            what="the line",
        )
        yield Line(url, recordings)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sound() -> bytes:
    """Return a quiet recording of SECONDS."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
        audio.writeframes(bytes(2 * 16_000 * SECONDS))
    return file.getvalue()


class _Recordings(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = sound()
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
