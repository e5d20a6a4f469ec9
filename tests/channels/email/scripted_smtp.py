"""An SMTP server in the test's own loop that takes access tokens (XOAUTH2), as Gmail and Microsoft do."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class ScriptedSmtp:
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    mails: int = 0
    port: int = 0

    @asynccontextmanager
    async def listening(self) -> "AsyncIterator[ScriptedSmtp]":
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip():
            for answer in await self._answers(line, reader, writer):
                writer.write(answer.encode() + b"\r\n")
            if line == "QUIT":
                break
        writer.close()

    async def _answers(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[str]:
        match line.split(" ")[0].upper():
            case "EHLO":
                return ["250-localhost", "250 AUTH XOAUTH2"]
            case "AUTH":
                return [await self._authenticate(line.split(" ")[2], reader, writer)]
            case "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.mails += 1
        return ["221 bye" if line == "QUIT" else "250 OK"]

    async def _authenticate(self, response: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        token = base64.b64decode(response).decode().split("auth=Bearer ", 1)[1].partition("\1")[0]
        if token in self.tokens:
            self.logins += 1
            return "235 2.7.0 Accepted"
        writer.write(b"334 " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
        assert await reader.readline() == b"\r\n"
        return "535 5.7.8 Username and Password not accepted"
