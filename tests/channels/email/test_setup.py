"""What a person is told, and asked, when a mailbox is added."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from shared.channels.email import consent
from shared.channels.email.setup import set_up
from shared.connector import Channel, SetUp, SetUpProblem
from tests.channels.email.mailbox import ADDRESS, PASSWORD, mailbox
from tests.channels.email.scripted_imap import CAPABILITIES, ScriptedImap
from tests.channels.email.scripted_smtp import ScriptedSmtp
from tests.channels.email.token_server import TokenServer
from tests.peers.dovecot import DovecotServer
from tests.peers.smtp import SmtpServer


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[TokenServer]:
    async with TokenServer().listening() as server:
        yield server


@pytest.fixture
def said() -> list[str]:
    return []


def both(dovecot: DovecotServer, smtp: SmtpServer, **settings: str | int) -> Channel:
    imap = {"imap_host": "127.0.0.1", "imap_port": dovecot.port, "imap_security": "none", "imap_password": PASSWORD}
    out = {"smtp_host": "localhost", "smtp_port": smtp.port, "smtp_security": "none"}
    return mailbox(**{**imap, **out, "reply_key": "ab", **settings})


async def test_both_logins_are_tried_and_what_was_found_is_told(
    dovecot: DovecotServer, smtp: SmtpServer, said: list[str]
) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    smtp.users[ADDRESS] = "right"
    done = await set_up(both(dovecot, smtp, smtp_password="right"), "", said.append)
    assert done == SetUp(
        facts=(
            f"IMAP: logged in to 127.0.0.1:{dovecot.port} as {ADDRESS}",
            "new mails are told of at once (IDLE)",
            f"SMTP: logged in to localhost:{smtp.port} as {ADDRESS}",
        )
    )
    assert said == []


async def test_a_key_is_made_that_signs_what_leaves(smtp: SmtpServer) -> None:
    channel = mailbox(smtp_host="localhost", smtp_port=smtp.port, smtp_security="none")
    keys = {(await set_up(channel, "", print)).settings["reply_key"] for _ in range(2)}
    assert len(keys) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"imap_password": "wrong"}, r"IMAP at 127\.0\.0\.1:\d+: .* does not take this user name and password"),
        ({"imap_folder": "INBOX, Nowhere"}, r"the folder 'Nowhere' cannot be read .*; there are: INBOX, Отправленные$"),
        ({"smtp_password": "wrong"}, r"SMTP at localhost:\d+: .* does not take this user name and password"),
        ({"smtp_port": 1}, r"SMTP at localhost:1: the server cannot be reached"),
        ({"imap_port": 1}, r"IMAP at 127\.0\.0\.1:1: connect failed"),
        ({"smtp_security": "tls"}, r"SMTP at localhost:\d+: this port does not begin with TLS; try security starttls"),
        ({"imap_security": "tls"}, r"IMAP at .*: this port does not begin with TLS; try security starttls"),
    ],
)
async def test_what_is_wrong_is_said_in_plain_words(
    dovecot: DovecotServer, smtp: SmtpServer, settings: dict[str, str], problem: str
) -> None:
    dovecot.add_user(ADDRESS, PASSWORD)
    dovecot.deliver(ADDRESS, b"Subject: x\r\n\r\n", folder="&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-")
    smtp.users[ADDRESS] = "right"
    with pytest.raises(SetUpProblem, match=problem):
        await set_up(both(dovecot, smtp, **{"smtp_password": "right", **settings}), "", print)


async def test_a_listener_says_where_it_will_take_mail() -> None:
    channel = mailbox(receive_by="lmtp", listen_port=2424, reply_key="ab")
    assert (await set_up(channel, "", print)).facts == ("Okno will take mails by LMTP at 127.0.0.1:2424 while it runs",)


# --- consent ----------------------------------------------------------------------------------------------


async def test_a_code_typed_on_any_device_gives_the_refresh_token(
    provider: TokenServer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent, "POLL_SECONDS", 0.01)
    provider.pending, box = 3, ScriptedImap(tokens={"access-1", "access-2"}, capabilities=CAPABILITIES)
    async with box.listening(), ScriptedSmtp(tokens={"access-2"}).listening() as smtp:
        settings = {**provider.settings, "oauth_device_url": provider.device_url}
        imap = {"imap_host": "127.0.0.1", "imap_port": box.port, "imap_security": "none"}
        out = {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_security": "none", "reply_key": "ab"}
        done = await set_up(mailbox(**settings, **imap, **out), "", said.append)
    assert done.settings == {"oauth_refresh_token": "refresh-1", "oauth_expires_at": ""}
    assert said == [f"Open http://127.0.0.1/device and type the code ABCD-EFGH as the owner of {ADDRESS}."]
    assert [form["grant_type"] for form in provider.forms[1:5]] == [consent._DEVICE_GRANT] * 4


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((400, {"error": "access_denied"}), "the consent was refused"),
        ((400, {"error": "expired_token"}), "not typed in time"),
        ((200, {"access_token": "a"}), "gave no refresh token: allow offline access"),
        ((500, {}), "no consent: the token endpoint refused: 500"),
    ],
)
async def test_a_consent_that_fails_says_why(
    provider: TokenServer, answer: tuple[int, dict[str, str]], problem: str
) -> None:
    begun = {"device_code": "d-1", "user_code": "A", "verification_uri": "http://x", "interval": 0.01}
    provider.answers = [(200, begun), answer]
    channel = mailbox(**provider.settings, oauth_device_url=provider.device_url, smtp_host="localhost")
    with pytest.raises(SetUpProblem, match=problem):
        await set_up(channel, "", print)


async def test_a_consent_in_the_browser_comes_back_to_this_machine(provider: TokenServer, said: list[str]) -> None:
    settings = {**provider.settings, "oauth_consent_url": "http://127.0.0.1/consent"}
    asking = asyncio.create_task(consent.ask(mailbox(**settings).settings, said.append))
    question = await _question(said)
    provider.challenge = question["code_challenge"]
    assert (question["scope"], question["access_type"], question["login_hint"]) == ("mail", "offline", ADDRESS)
    await _browse(f"{question['redirect_uri']}/favicon.ico")
    await _browse(f"{question['redirect_uri']}/?code=code-1&state={question['state']}")
    assert (await asking).refresh_token == "refresh-1"


@pytest.mark.parametrize("answer", ["code=code-1&state=forged", "error=access_denied&state=x"])
async def test_an_answer_that_does_not_fit_the_question_is_no_consent(
    provider: TokenServer, said: list[str], answer: str
) -> None:
    settings = {**provider.settings, "oauth_consent_url": "http://127.0.0.1/consent"}
    asking = asyncio.create_task(consent.ask(mailbox(**settings).settings, said.append))
    await _browse(f"{(await _question(said))['redirect_uri']}/?{answer}")
    with pytest.raises(SetUpProblem, match="the consent was refused"):
        await asking
    assert provider.forms == []


async def _question(said: list[str]) -> dict[str, str]:
    async with asyncio.timeout(60):
        while len(said) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return {name: values[0] for name, values in parse_qs(urlsplit(said[1]).query).items()}


async def _browse(url: str) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    await reader.read()
    writer.close()
