"""Real Dovecot, real `okno up`: waiting mails onto timelines, a server that is killed, and how soon one is seen."""

from __future__ import annotations

import asyncio
import imaplib
import socket
import sqlite3
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import BinaryIO

from tests.benchmarks.embedded import Running, _count, _okno, _until, okno_up
from tests.benchmarks.load import watch
from tests.benchmarks.table import Figure
from tests.peers.dovecot import DovecotServer

WAITING, KILLS, SINGLE = 5_000, 3, 20
ADDRESS, BARE, PASSWORD = "support@example.com", "bare@example.com", "secret"


def figures() -> Iterator[Figure]:
    with DovecotServer() as dovecot:
        _fill(dovecot)
        with okno_up() as okno:
            yield _killed(dovecot, okno)
        with okno_up() as okno:
            yield _rate(dovecot, okno, _bare_rate(dovecot))
            yield from _seen(dovecot, okno, _bare_delay(dovecot))


def mail(number: int) -> bytes:
    """A small Russian mail with HTML, from one of 500 clients."""
    message = EmailMessage()
    message["From"] = f"Клиент {number % 500} <client{number % 500}@example.org>"
    message["To"] = ADDRESS
    message["Subject"] = f"Вопрос номер {number}"
    message["Message-ID"] = f"<{number}@example.org>"
    message["Date"] = "Sat, 21 Nov 2026 10:00:00 +0300"
    text = f"Здравствуйте! Сколько стоит доставка заказа {number}?\n\nС уважением,\nКлиент\n"
    message.set_content(text)
    message.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html")
    return message.as_bytes()


def _fill(dovecot: DovecotServer) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    for number in range(WAITING):
        dovecot.deliver(ADDRESS, mail(number))


def _connect(dovecot: DovecotServer, okno: Running) -> None:
    settings = {
        "address": ADDRESS,
        "imap_host": dovecot.host,
        "imap_port": dovecot.port,
        "imap_security": "none",
        "imap_password": PASSWORD,
    }
    given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    _okno(str(okno.database.parent), "channels", "add", "email", "Support", *given)


def _bare_rate(dovecot: DovecotServer) -> float:
    """Fetch the same mails into nothing, as fast as one connection gives them."""
    with imaplib.IMAP4(dovecot.host, dovecot.port) as client:
        client.login(ADDRESS, PASSWORD)
        client.select("INBOX")
        began = time.perf_counter()
        for first in range(1, WAITING, 200):
            client.uid("FETCH", f"{first}:{first + 199}", "(UID BODY.PEEK[])")
        return WAITING / (time.perf_counter() - began)


def _bare_delay(dovecot: DovecotServer) -> float:
    """The server's own share: seconds from a delivery to the line that tells of it, on a bare socket."""
    dovecot.add_user(BARE, PASSWORD)
    with socket.create_connection((dovecot.host, dovecot.port)) as link, link.makefile("rwb") as lines:
        for command in (f"a login {BARE} {PASSWORD}", "b select INBOX", "c idle"):
            lines.write(command.encode() + b"\r\n")
            lines.flush()
            _until_line(lines, (command[:1].encode() + b" OK", b"+"))
        delays = []
        for number in range(5):
            began = time.perf_counter()
            dovecot.deliver(BARE, mail(number))
            _until_line(lines, (b"* %d EXISTS" % (number + 1),))
            delays.append(time.perf_counter() - began)
            time.sleep(1)
    return sorted(delays)[2]


def _until_line(lines: BinaryIO, beginnings: tuple[bytes, ...]) -> None:
    while not lines.readline().startswith(beginnings):
        pass


def _rate(dovecot: DovecotServer, okno: Running, bare: float) -> Figure:
    """Count from the first mail on a timeline, so that starting `okno channels add` is not measured."""
    _connect(dovecot, okno)
    _until(lambda: _shown(okno) > 0)
    first, began = _shown(okno), time.perf_counter()
    _until(lambda: _shown(okno) >= WAITING)
    rate = (WAITING - first) / (time.perf_counter() - began)
    assert _entries(okno) == (WAITING, WAITING), _entries(okno)
    name = f"mail: {WAITING:,} waiting mails onto timelines, embedded"
    return Figure(name, rate, "/s", 150, True, bare, "fetched into nothing")


def _killed(dovecot: DovecotServer, okno: Running) -> Figure:
    """Kill the server at a quarter, a half and three quarters; it is away for a second each time."""
    _connect(dovecot, okno)
    began = time.perf_counter()
    for number in range(1, KILLS + 1):
        _until(lambda reached=WAITING * number // (KILLS + 1): _shown(okno) >= reached)
        dovecot.kill()
        time.sleep(1)
        dovecot.start()
    _until(lambda: _shown(okno) >= WAITING)
    seconds = time.perf_counter() - began
    time.sleep(3)
    everything, different = _entries(okno)
    lost_or_doubled = abs(WAITING - different) + everything - different
    name = f"mail: lost or doubled of {WAITING:,}, server killed {KILLS} times ({seconds:.0f} s in all)"
    return Figure(name, lost_or_doubled, "", 0, False)


def _seen(dovecot: DovecotServer, okno: Running, bare: float) -> Iterator[Figure]:
    """Measure from the delivery to the moment an open window hears of it.

    Dovecot gathers changes for half a second before it tells (NOTIFY_DELAY_MSECS in mailbox-watch.c, no setting).
    """
    delays = sorted(asyncio.run(_delays(dovecot, okno)))
    milliseconds, limit = [1000 * delay for delay in delays], (1000 * bare, "the server's own share")
    yield Figure("mail: seen after its delivery, median", milliseconds[SINGLE // 2], "ms", 1000, False, *limit)
    yield Figure(f"mail: seen after its delivery, slowest of {SINGLE}", milliseconds[-1], "ms", 1000, False, *limit)


async def _delays(dovecot: DovecotServer, okno: Running) -> list[float]:
    heard: asyncio.Queue[float] = asyncio.Queue()
    known: set[str] = set()

    def seen(message_id: str, at: float) -> None:
        if message_id not in known:
            known.add(message_id)
            heard.put_nowait(at)

    ready = asyncio.Event()
    watching = asyncio.create_task(watch((okno.host, okno.port), okno.token, seen, ready))
    await ready.wait()
    await asyncio.sleep(1)
    delays = []
    for number in range(WAITING, WAITING + SINGLE):
        while not heard.empty():
            heard.get_nowait()
        raw = mail(number)
        began = time.perf_counter()
        dovecot.deliver(ADDRESS, raw)
        async with asyncio.timeout(30):
            delays.append(await heard.get() - began)
        await asyncio.sleep(0.3 + number % 7 / 10)
    watching.cancel()
    return delays


def _shown(okno: Running) -> int:
    """How many entries there are: cheap, because it is asked again and again on the machine that is measured."""
    return _count(okno.database, "timeline")


def _entries(okno: Running) -> tuple[int, int]:
    """How many entries there are, and how many different mails."""
    connection = sqlite3.connect(f"file:{okno.database}?mode=ro", uri=True)
    try:
        sql = "SELECT count(*), count(DISTINCT json_extract(body, '$.external_id')) FROM timeline"
        everything, different = connection.execute(sql).fetchone()
        return int(everything), int(different)
    finally:
        connection.close()
