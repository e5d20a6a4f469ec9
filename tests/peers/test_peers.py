"""Each peer works, keeps its data over kill -9, and misbehaves when told to: the other tests build on that."""

import asyncio
import imaplib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from playwright.async_api import Error, Page

from tests.peers.dovecot import DovecotServer
from tests.peers.fixtures import NewPage, StartOkno
from tests.peers.kafka import ExternalKafka, KafkaServer, answers
from tests.peers.okno import ROOT
from tests.peers.postgres import ExternalPostgres, PostgresServer
from tests.peers.process import PeerError, Process, accepts, free_port
from tests.peers.proxy import Proxy
from tests.peers.smtp import SmtpServer

STAND_IN = """
import http.server, json, os, signal, sys
settings = {name: value for name, value in os.environ.items() if name.startswith("OKNO_")}
print(json.dumps({"event": "started", "args": sys.argv[1:], "settings": settings}), flush=True)
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *args): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
MAIL = b"Message-ID: <1@example.com>\r\nSubject: Hello\r\n\r\nHello\r\n"


async def create_topic(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()


def producer_of(bootstrap: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")


def consumer_of(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"{topic}-group",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        heartbeat_interval_ms=200,
    )


async def read(consumer: AIOKafkaConsumer, count: int) -> list[bytes]:
    values: list[bytes] = []
    while len(values) < count:
        batches = await consumer.getmany(timeout_ms=200)
        values += [message.value for messages in batches.values() for message in messages]
    return values


@pytest.mark.cluster
async def test_kafka_takes_idempotent_writes_and_shares_a_topic_between_two_members(
    kafka: KafkaServer | ExternalKafka, kafka_prefix: str
) -> None:
    topic = f"{kafka_prefix}shared"
    await create_topic(kafka.bootstrap, topic, partitions=4)
    async with producer_of(kafka.bootstrap) as producer:
        sent = [await producer.send(topic, b"%d" % n, partition=n % 4) for n in range(1000)]
        await asyncio.gather(*sent)
    async with consumer_of(kafka.bootstrap, topic) as first:
        assert sorted(await read(first, 1000), key=int) == [b"%d" % n for n in range(1000)]
        await first.commit()
        async with consumer_of(kafka.bootstrap, topic) as second:
            while len(first.assignment()) != 2:
                await first.getmany(timeout_ms=50)
            shared = first.assignment() | second.assignment()
            assert shared == {TopicPartition(topic, n) for n in range(4)}
            assert [await second.committed(each) for each in second.assignment()] == [250, 250]


@pytest.mark.cluster
async def test_kafka_keeps_what_it_confirmed_over_kill_and_restart(own_kafka: KafkaServer) -> None:
    await create_topic(own_kafka.bootstrap, "kept", partitions=1)
    async with producer_of(own_kafka.bootstrap) as producer:
        await producer.send_and_wait("kept", b"before")
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.to_thread(own_kafka.start)
        await producer.send_and_wait("kept", b"after")
    await asyncio.to_thread(own_kafka.restart)
    async with consumer_of(own_kafka.bootstrap, "kept") as consumer:
        assert await read(consumer, 2) == [b"before", b"after"]


@pytest.mark.cluster
def test_a_paused_kafka_is_silent_until_it_is_resumed(own_kafka: KafkaServer) -> None:
    own_kafka.pause()
    assert not answers(own_kafka.bootstrap)
    own_kafka.resume()
    own_kafka.process.wait_until(lambda: answers(own_kafka.bootstrap))


@pytest.mark.cluster
async def test_kafka_can_stand_behind_a_proxy() -> None:
    with Proxy(target_port=0) as proxy:
        broker = KafkaServer(advertised_port=proxy.port)
        proxy.target = ("127.0.0.1", broker.port)
        with broker:
            await create_topic(broker.bootstrap, "proxied", partitions=1)
            async with producer_of(broker.bootstrap) as producer:
                await producer.send_and_wait("proxied", b"through the proxy")
                proxy.cut()
                await producer.send_and_wait("proxied", b"and again")


def test_kafka_that_is_not_there_does_not_answer() -> None:
    assert not answers(f"127.0.0.1:{free_port()}")


@pytest.mark.cluster
def test_every_test_has_a_database_of_its_own(database_url: str, postgres: PostgresServer | ExternalPostgres) -> None:
    other_url = postgres.create_database()
    with psycopg.connect(database_url) as one, psycopg.connect(other_url) as other:
        one.execute("CREATE TABLE note (text text)")
        one.commit()
        assert other.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'note'").fetchone() == (0,)
        postgres.drop_database(other_url)
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


@pytest.mark.cluster
def test_postgres_keeps_what_it_confirmed_over_kill_and_restart(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        connection.execute("CREATE TABLE note AS SELECT 'kept' AS text")
        connection.commit()
        own_postgres.kill()
    own_postgres.start()
    own_postgres.restart()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("kept",)]


def test_dovecot_tells_a_waiting_client_of_new_mail_and_keeps_it_over_kill(dovecot: DovecotServer) -> None:
    dovecot.add_user("help@example.com", "secret")
    client = imaplib.IMAP4(dovecot.host, dovecot.port, timeout=10)
    client.login("help@example.com", "secret")
    client.select()
    client.send(b"w1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    dovecot.deliver("help@example.com", MAIL)
    assert client.readline() == b"* 1 EXISTS\r\n"
    client.shutdown()
    dovecot.kill()
    dovecot.start()
    assert dovecot.messages("help@example.com") == [MAIL]


def test_dovecot_speaks_starttls_and_tls_and_stores_what_a_client_appends(dovecot: DovecotServer) -> None:
    dovecot.add_user("help@example.com", "secret")
    dovecot.deliver("help@example.com", MAIL, folder="Sent")
    trust = ssl.create_default_context(cafile=str(dovecot.ca_path))
    with imaplib.IMAP4(dovecot.host, dovecot.port, timeout=10) as client:
        client.starttls(trust)
        client.login("help@example.com", "secret")
        assert client.select("Sent") == ("OK", [b"1"])
    with imaplib.IMAP4_SSL(dovecot.host, dovecot.tls_port, ssl_context=trust, timeout=10) as client:
        client.login("help@example.com", "secret")
        client.append("Sent", "", "", MAIL)
    assert dovecot.messages("help@example.com", "Sent") == [MAIL, MAIL]


def test_dovecot_gives_a_folder_another_uidvalidity_when_told_to(dovecot: DovecotServer) -> None:
    dovecot.add_user("help@example.com", "secret")
    dovecot.deliver("help@example.com", MAIL)

    def uid_validity() -> bytes:
        with imaplib.IMAP4(dovecot.host, dovecot.port, timeout=10) as client:
            client.login("help@example.com", "secret")
            assert client.select() == ("OK", [b"1"])
            return bytes(client.response("UIDVALIDITY")[1][0])

    before = uid_validity()
    assert uid_validity() == before
    time.sleep(1.1)
    dovecot.renumber("help@example.com")
    assert uid_validity() != before


def test_dovecot_refuses_a_wrong_password(dovecot: DovecotServer) -> None:
    dovecot.add_user("help@example.com", "secret")
    with (
        imaplib.IMAP4(dovecot.host, dovecot.port, timeout=10) as client,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        client.login("help@example.com", "wrong")


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "help@example.com", "client@example.com", "Hello"
    mail.set_content("Hello")
    return mail


async def test_smtp_keeps_each_accepted_mail_with_its_envelope(smtp: SmtpServer) -> None:
    await aiosmtplib.send(a_mail(), hostname=smtp.host, port=smtp.port, start_tls=False)
    [received] = await smtp.received(1)
    assert (received.sender, received.recipients) == ("help@example.com", ("client@example.com",))
    assert received.raw.endswith(b"Subject: Hello\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n"
                                 b"Content-Transfer-Encoding: 7bit\r\nMIME-Version: 1.0\r\n\r\nHello\r\n")  # fmt: skip
    assert (received.login, received.tls) == (None, False)


async def test_smtp_asks_for_a_login_when_it_has_users() -> None:
    with SmtpServer(users={"help": "secret"}) as smtp:
        with pytest.raises(aiosmtplib.SMTPSenderRefused, match="Authentication required"):
            await aiosmtplib.send(a_mail(), hostname=smtp.host, port=smtp.port, start_tls=False)
        await send_as_user(smtp, tls_from_the_start=False)
        await send_as_user(smtp, tls_from_the_start=True)
        assert [(mail.login, mail.tls) for mail in smtp.mails] == [("help", True), ("help", True)]
        smtp.faults.refuse_logins = True
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await send_as_user(smtp, tls_from_the_start=True)


async def send_as_user(smtp: SmtpServer, *, tls_from_the_start: bool) -> None:
    await aiosmtplib.send(
        a_mail(),
        hostname=smtp.host,
        port=smtp.tls_port if tls_from_the_start else smtp.port,
        use_tls=tls_from_the_start,
        start_tls=not tls_from_the_start,
        tls_context=ssl.create_default_context(cafile=str(smtp.ca_path)),
        username="help",
        password="secret",
    )


async def test_smtp_misbehaves_as_told_and_only_as_often(smtp: SmtpServer) -> None:
    async def send() -> None:
        await aiosmtplib.send(a_mail(), hostname=smtp.host, port=smtp.port, start_tls=False, timeout=5)

    smtp.faults.answer(450, "4.2.0 try later")
    with pytest.raises(aiosmtplib.SMTPDataError) as later:
        await send()
    assert (later.value.code, later.value.message) == (450, "4.2.0 try later")
    smtp.faults.answer(550, "5.1.1 unknown", at="rcpt")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send()
    smtp.faults.cut_before_acceptance()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send()
    assert smtp.mails == []
    smtp.faults.cut_after_acceptance()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send()
    assert len(smtp.mails) == 1
    smtp.stop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send()
    smtp.start()
    await send()
    assert len(smtp.mails) == 2


def exchange(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def test_proxy_passes_delays_holds_and_cuts(dovecot: DovecotServer) -> None:
    with Proxy(dovecot.port) as proxy, socket.create_connection((proxy.host, proxy.port), timeout=5) as client:
        assert client.recv(4) == b"* OK"
        client.recv(1000)
        proxy.delay_seconds = 0.1
        begun = time.monotonic()
        assert exchange(client, b"a NOOP\r\n") == b"a OK NOOP completed.\r\n"
        assert time.monotonic() - begun >= 0.2
        proxy.half_open = True
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            exchange(client, b"b NOOP\r\n")
        proxy.half_open = False
        assert client.recv(100) == b"b OK NOOP completed.\r\n"
        proxy.cut()
        assert_closed(client)
        proxy.refusing = True
        with socket.create_connection((proxy.host, proxy.port), timeout=5) as refused:
            assert_closed(refused)


def assert_closed(connection: socket.socket) -> None:
    try:
        assert connection.recv(1) == b""
    except ConnectionResetError:
        return


def test_okno_is_started_killed_and_stopped_with_its_log_in_a_file(
    start_okno: StartOkno, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKNO_OF_THIS_PERSON", "does not reach it")
    port = free_port()
    okno = start_okno([str(port)], {"OKNO_SECRET": "x"}, command=(sys.executable, "-c", STAND_IN))
    okno.wait_for_http(f"http://127.0.0.1:{port}")
    okno.kill()
    assert not accepts(port)
    okno.start()
    okno.wait_for_http(f"http://127.0.0.1:{port}")
    assert okno.stop() == 7
    assert okno.logged() == [{"event": "started", "args": [str(port)], "settings": {"OKNO_SECRET": "x"}}] * 2
    assert okno.wait_for_line("started") == okno.lines()[0]
    with pytest.raises(PeerError, match="ended with status 7"):
        okno.wait_for_http(f"http://127.0.0.1:{port}")


async def test_browser_shows_cyrillic_and_notes_errors_on_the_page(page: Page, page_errors: list[str]) -> None:
    await page.set_content("<h1>Привет</h1><script>console.error('noted'); throw new Error('lost')</script>")
    assert await page.inner_text("h1") == "Привет"
    assert page_errors == ["console: noted ()", "uncaught: lost"]
    page_errors.clear()


async def test_browser_opens_a_page_for_each_person_and_reaches_only_this_machine(new_page: NewPage) -> None:
    one, other = await new_page(), await new_page()
    assert one.context is not other.context
    # Nothing listens on either; the second is not even looked for.
    with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
        await one.goto(f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await one.goto(f"http://127.0.0.2:{free_port()}/")


BUSY = """
import threading
def work(letter):
    while True:
        print(letter, flush=True)
for letter in "abcdefgh":
    threading.Thread(target=work, args=letter).start()
"""


def test_a_paused_process_does_nothing_more() -> None:
    process = Process("busy", [sys.executable, "-c", BUSY])
    process.start()
    try:
        process.wait_until(lambda: process.log.stat().st_size > 1000)
        for _ in range(30):
            process.pause()
            written = process.log.stat().st_size
            time.sleep(0.01)
            assert process.log.stat().st_size == written
            process.resume()
            time.sleep(0.01)
    finally:
        process.kill()


def test_killing_a_process_ends_its_children_too() -> None:
    parent = Process("family", ["/bin/sh", "-c", "sleep 60 & echo $!; wait"])
    parent.start()
    parent.wait_until(lambda: len(parent.tail(1).splitlines()) == 2)
    child = int(parent.tail(1).splitlines()[1])
    parent.kill()
    assert parent.exit_status == -signal.SIGKILL
    assert not is_running(child)


def test_a_peer_ends_when_its_test_process_is_killed() -> None:
    starter = "from tests.peers.process import *; p = Process('orphan', ['sleep', '60']); p.start()"
    test_process = Process("killed", [sys.executable, "-c", f"{starter}; print(p.pid, flush=True); p.wait(60)"])
    test_process.start()
    test_process.wait_until(lambda: len(test_process.tail().splitlines()) == 2)
    orphan = int(test_process.tail().splitlines()[1])
    os.kill(test_process.pid, signal.SIGKILL)
    test_process.wait(5)
    deadline = time.monotonic() + 5
    while is_running(orphan):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_a_process_that_ends_before_it_is_ready_is_an_error_with_its_log() -> None:
    process = Process("broken", ["/bin/sh", "-c", "echo out of order; exit 3"])
    process.start()
    with pytest.raises(PeerError, match=r"(?s)status 3.*out of order"):
        process.wait_until(lambda: False)


def installer(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OKNO_TEST_")}
    return subprocess.run(
        [sys.executable, "-m", "tests.peers.install"],
        env=environment | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_installer_tells_every_peers_version_when_all_is_there() -> None:
    done = installer()
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "Node",
        "Java 17 or newer",
        "Apache Kafka",
        "PostgreSQL 15 or newer",
        "Dovecot 2.3",
        "Chromium",
    ]


def test_installer_that_may_not_install_stops_with_the_command_to_type() -> None:
    done = installer(PATH="/nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt-get install -y --no-install-recommends default-jre-headless maven chromium" in done.stderr


def test_installer_leaves_out_servers_that_already_run() -> None:
    done = installer(PATH="/nowhere", OKNO_TEST_KAFKA="127.0.0.1:9092")
    assert "apt-get install -y --no-install-recommends chromium" in done.stderr
