"""Strict servers in the words of the providers' documents: what they would refuse is refused with their words."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from aiohttp.test_utils import TestServer

AUDIO = b"ID3\x03\x00" + bytes(range(256)) * 40


@dataclass
class Server:
    """What all have: a record of what was asked, and a way to answer otherwise. `told`: the calls it knows."""

    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    instead: Callable[[], web.Response] | None = None
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.instead is not None:
            await request.read()
            return self.instead()
        return await self.respond(request)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[Server]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(application, host="127.0.0.1") as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


def audio() -> web.Response:
    return web.Response(body=AUDIO, content_type="audio/mpeg")


# --- Twilio: https://www.twilio.com/docs/voice/api/call-resource ------------------------------------------


@dataclass
class Twilio(Server):
    account_sid: str = "AC00000000000000000000000000000000"
    auth_token: str = "12345"
    page: int = 2
    recordings: list[dict[str, Any]] = field(default_factory=list)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return self._error(401, 20003, "Authenticate")
        what = request.path.removeprefix(f"/2010-04-01/Accounts/{self.account_sid}/")
        if request.method == "POST" and what == "Calls.json":
            return self._called(dict(parse_qsl((await request.read()).decode(), strict_parsing=True)))
        if request.method == "GET" and what in ("Calls.json", "Recordings.json"):
            return self._listed(request, what.removesuffix(".json"))
        if request.method == "GET" and what in {f"Recordings/{r['sid']}.mp3" for r in self.recordings}:
            return audio()
        return self._error(404, 20404, f"The requested resource {request.path} was not found")

    def _called(self, given: dict[str, str]) -> web.Response:
        if missing := {"To", "From", "Twiml"} - given.keys():
            return self._error(400, 21201, f"No {sorted(missing)} specified")
        if not given["To"].startswith("+"):
            return self._error(400, 21211, f"Invalid 'To' Phone Number: {given['To']}")
        self.asked.append(("POST", "Calls", given))
        return web.json_response({"sid": "CA" + "1" * 32, "status": "queued"}, status=201)

    def _listed(self, request: web.Request, what: str) -> web.Response:
        clock = "StartTime" if what == "Calls" else "DateCreated"
        query = dict(request.query)
        self.asked.append(("GET", what, query))
        if {f"{clock}>", f"{clock}<", "PageSize"} - query.keys():
            return self._error(400, 20001, "a filter is missing")
        listed = self.told if what == "Calls" else self.recordings
        start = int(query.get("Page", 0)) * self.page
        after = {**query, "Page": str(int(query.get("Page", 0)) + 1)}
        more = f"{request.path}?{urlencode(after)}" if start + self.page < len(listed) else None
        return web.json_response({what.lower(): listed[start : start + self.page], "next_page_uri": more})

    def _error(self, status: int, code: int, words: str) -> web.Response:
        return web.json_response({"code": code, "message": words, "status": status}, status=status)


# --- Mango Office: API of the virtual PBX -----------------------------------------------------------------


@dataclass
class Mango(Server):
    api_key: str = "qwerty123"
    api_salt: str = "salt456"
    not_ready: int = 1
    result: int = 1000
    csv: str = ""
    recording: str = "R1=="
    link: str = "/download/once/R1.mp3"

    async def respond(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/download/once/R1.mp3":
            self.asked.append(("GET", request.path, dict(request.headers)))
            return audio()
        form = dict(parse_qsl((await request.read()).decode(), strict_parsing=True))
        sign = hashlib.sha256(f"{self.api_key}{form['json']}{self.api_salt}".encode()).hexdigest()
        if form["vpbx_api_key"] != self.api_key or form["sign"] != sign:
            return web.json_response({"name": "Forbidden", "message": "wrong sign", "code": 3104}, status=403)
        given = json.loads(form["json"])
        self.asked.append((request.method, request.path, given))
        return self._done(request.path, given)

    def _done(self, path: str, given: dict[str, Any]) -> web.StreamResponse:
        match path:
            case "/vpbx/stats/request" if {"date_from", "date_to", "fields"} <= given.keys():
                return web.json_response({"key": "k-1"})
            case "/vpbx/stats/result" if given == {"key": "k-1"}:
                self.not_ready -= 1
                return web.Response(status=204) if self.not_ready >= 0 else web.Response(text=self.csv)
            case "/vpbx/queries/recording/post" if given == {"recording_id": self.recording, "action": "download"}:
                return web.Response(status=302, headers={"Location": self.link})
            case "/vpbx/commands/callback" if {"command_id", "from", "to_number"} <= given.keys():
                return web.json_response({"command_id": given["command_id"], "result": self.result})
        return web.json_response({"message": "not found"}, status=404)


# --- Zadarma: https://zadarma.com/en/support/api/ ---------------------------------------------------------


@dataclass
class Zadarma(Server):
    api_key: str = "zkey"
    api_secret: str = "zsecret"
    has_recording: bool = True
    page: int = 1000

    async def respond(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/pbx/record/download/1.mp3":
            return audio()
        text = urlencode(sorted(request.query.items()))
        covered = request.path + text + hashlib.md5(text.encode()).hexdigest()
        digest = hmac.new(self.api_secret.encode(), covered.encode(), "sha1").hexdigest()
        if request.headers.get("Authorization") != f"{self.api_key}:{base64.b64encode(digest.encode()).decode()}":
            return self._error(401, "Not authorized")
        query = dict(request.query)
        self.asked.append((request.method, request.path, query))
        return self._done(request.path, query)

    def _done(self, path: str, query: dict[str, str]) -> web.Response:
        match path:
            case "/v1/statistics/pbx/" if int(query["limit"]) <= 1000:
                skip = int(query["skip"])
                stats = self.told[skip : skip + min(self.page, int(query["limit"]))]
                return web.json_response({"status": "success", "version": 2, "stats": stats})
            case "/v1/pbx/record/request/" if self.has_recording:
                return web.json_response({"status": "success", "link": f"{self.url}/v1/pbx/record/download/1.mp3"})
            case "/v1/pbx/record/request/":
                return web.json_response({"status": "error", "message": "Recording not found"})
            case "/v1/request/callback/" if {"from", "to"} <= query.keys():
                return web.json_response({"status": "success", **query, "time": 1435573082})
        return self._error(400, "Wrong parameters")

    def _error(self, status: int, words: str) -> web.Response:
        return web.json_response({"status": "error", "message": words}, status=status)


# --- UIS: Data API 2.0 and Call API 4.0, JSON-RPC 2.0 -----------------------------------------------------


@dataclass
class Uis(Server):
    access_token: str = "an-access-token"

    async def respond(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/system/media/talk/500/2e67/":
            return audio()
        assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
        asked = json.loads(await request.read())
        params = asked["params"]
        if params.pop("access_token") != self.access_token:
            return self._error(asked, -32001, "access_token_invalid", "Access token is invalid")
        self.asked.append((request.path, asked["method"], params))
        match request.path, asked["method"]:
            case "/v2.0", "get.calls_report":
                page = self.told[params["offset"] : params["offset"] + params["limit"]]
                data = [{name: call.get(name) for name in params["fields"]} for call in page]
                return self._result(asked, data)
            case "/v4.0", "start.simple_call" if params["contact"].isdigit() and params["operator"].isdigit():
                return self._result(asked, {"call_session_id": 237859081})
        return self._error(asked, -32601, "method_not_found", "The method does not exist")

    def _result(self, asked: dict[str, Any], data: Any) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": {"data": data, "metadata": {}}})

    def _error(self, asked: dict[str, Any], code: int, mnemonic: str, words: str) -> web.Response:
        error = {"code": code, "message": words, "data": {"mnemonic": mnemonic}}
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})
