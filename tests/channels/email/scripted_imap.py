"""An IMAP server in the test's own loop that does what no real one does on demand: drops, silence, odd answers."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS MOVE SASL-IR AUTH=PLAIN AUTH=XOAUTH2"


@dataclass
class ScriptedImap:
    """One folder. Mails can be bytes, or a size for many that are never looked at."""

    mails: dict[int, bytes] = field(default_factory=dict)
    capabilities: str = CAPABILITIES
    uid_validity: int = 7
    uid_next: int | None = None
    tokens: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    moved: dict[int, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {"INBOX"})
    arrived: dict[int, str] = field(default_factory=dict)
    """INTERNALDATE by UID."""
    cut_in_literal: int = 0
    """So many times the connection drops in the middle of a mail."""
    silent_at: str = ""
    """A command that is never answered."""
    refuse: dict[str, str] = field(default_factory=dict)
    expunge_before_fetch: set[int] = field(default_factory=set)
    burst: list[str] = field(default_factory=list)
    """Lines said at once while somebody waits with IDLE."""
    sessions: int = 0
    port: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def listening(self) -> "AsyncIterator[ScriptedImap]":
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await _Session(self, reader, writer).run()
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.transport.abort()
                tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, *mails: bytes) -> None:
        for mail in mails:
            self.mails[max(self.mails, default=0) + 1] = mail
        self.changed.set()

    def times(self, command: str) -> int:
        return sum(each.startswith(command) for each in self.commands)


class _Session:
    def __init__(self, box: ScriptedImap, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.box, self.reader, self.writer = box, reader, writer

    async def run(self) -> None:
        self.box.sessions += 1
        self.say("* OK ready")
        while line := await self.reader.readline():
            tag, _, command = line.decode().rstrip("\r\n").partition(" ")
            self.box.commands.append(command)
            name = command.removeprefix("UID ").partition(" ")[0].upper()
            if name == self.box.silent_at:
                continue
            if name in self.box.refuse:
                self.say(f"{tag} NO {self.box.refuse[name]}")
                continue
            if (answer := await self.answer(name, command)) is not None:
                self.say(f"{tag} {answer}")
            await self.writer.drain()

    def say(self, line: str) -> None:
        self.writer.write(line.encode() + b"\r\n")

    async def answer(self, name: str, command: str) -> str | None:
        match name:
            case "CAPABILITY":
                self.say(f"* CAPABILITY {self.box.capabilities}")
            case "AUTHENTICATE":
                return await self.authenticate(command)
            case "SELECT":
                self.select()
            case "LIST":
                for folder in sorted(self.box.folders):
                    self.say(f'* LIST (\\HasNoChildren) "/" "{folder}"')
            case "SEARCH":
                found = self.search(command.split("SEARCH ", 1)[1])
                self.say("* SEARCH " + " ".join(map(str, found)))
            case "FETCH":
                return await self.fetch(command)
            case "STORE":
                self.box.seen |= set(self.uids(command.split()[2]))
            case "MOVE":
                return self.move(command)
            case "CREATE":
                self.box.folders.add(command.split(" ", 1)[1].strip('"'))
            case "IDLE":
                await self.idle()
        return "OK done"

    async def authenticate(self, command: str) -> str:
        _, mechanism, *inline = command.split(" ")
        response = inline[0] if inline else await self.challenge("")
        given = base64.b64decode(response).decode()
        if mechanism == "PLAIN":
            return "OK in"
        token = given.split("auth=Bearer ", 1)[1].partition("\1")[0]
        if token in self.box.tokens:
            return "OK in"
        error = base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode()
        assert await self.challenge(error) == ""  # as Gmail and Microsoft wait for it
        return "NO [AUTHENTICATIONFAILED] Invalid credentials"

    async def challenge(self, text: str) -> str:
        self.say(f"+ {text}")
        await self.writer.drain()
        return (await self.reader.readline()).decode().rstrip("\r\n")

    def select(self) -> None:
        self.say(f"* {len(self.box.mails)} EXISTS")
        self.say(f"* OK [UIDVALIDITY {self.box.uid_validity}] valid")
        following = self.box.uid_next or max(self.box.mails, default=0) + 1
        self.say(f"* OK [UIDNEXT {following}] next")

    def search(self, criteria: str) -> list[int]:
        if criteria.startswith("UID "):
            return self.uids(criteria.removeprefix("UID "))
        return sorted(self.box.mails)

    def uids(self, words: str) -> list[int]:
        """n:* always holds the last mail."""
        known, last = sorted(self.box.mails), max(self.box.mails, default=0)
        found: set[int] = set()
        for word in words.split(","):
            first, _, end = word.replace("*", str(last)).partition(":")
            low, high = sorted((int(first), int(end or first)))
            found |= {uid for uid in known if low <= uid <= high}
        return sorted(found)

    async def fetch(self, command: str) -> str:
        _, _, words, what = command.split(" ", 3)
        bodies = "BODY" in what
        if bodies:
            for uid in self.box.expunge_before_fetch & self.box.mails.keys():
                del self.box.mails[uid]
                self.say(f"* {uid} EXPUNGE")
        for number, uid in enumerate(self.uids(words), 1):
            mail = self.box.mails[uid]
            if not bodies:
                arrived = f' INTERNALDATE "{self.box.arrived[uid]}"' if uid in self.box.arrived else ""
                self.say(f"* {number} FETCH (UID {uid} RFC822.SIZE {len(mail)}{arrived})")
                continue
            head = f"* {number} FETCH (UID {uid} BODY[] {{{len(mail)}}}\r\n".encode()
            if self.box.cut_in_literal:
                self.box.cut_in_literal -= 1
                self.writer.write(head + mail[: len(mail) // 2])
                await self.writer.drain()
                raise ConnectionError("cut")
            self.writer.write(head + mail + b")\r\n")
            await self.writer.drain()
        return "OK done"

    def move(self, command: str) -> str:
        _, _, words, folder = command.split(" ", 3)
        if folder.strip('"') not in self.box.folders:
            return "NO [TRYCREATE] no such folder"
        for uid in self.uids(words):
            self.box.moved[uid] = folder.strip('"')
            del self.box.mails[uid]
        return "OK moved"

    async def idle(self) -> None:
        self.say("+ idling")
        await self.writer.drain()
        done = asyncio.ensure_future(self.reader.readline())
        while not done.done():
            changed = asyncio.ensure_future(self.box.changed.wait())
            await asyncio.wait({done, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if self.box.changed.is_set():
                self.box.changed.clear()
                self.writer.write("".join(f"{line}\r\n" for line in self.box.burst).encode())
                self.say(f"* {len(self.box.mails)} EXISTS")
                await self.writer.drain()


def many(count: int, mail: bytes) -> dict[int, bytes]:
    return dict.fromkeys(range(1, count + 1), mail)
