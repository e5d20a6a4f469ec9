"""Access tokens: cached, renewed in time, refused in words; and the mailbox that logs in with them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from shared.channels.email import imap, oauth
from shared.channels.email.imap import LoginRefused
from shared.channels.email.oauth import ConsentEnded, OAuthUnreachable, Tokens
from shared.channels.email.receive import receiver
from shared.channels.email.send import sender
from shared.connector import Channel, SendDelayed, SenderBroken
from tests.channels.email.mailbox import MemoryInlet, mail, mailbox
from tests.channels.email.scripted_imap import ScriptedImap
from tests.channels.email.scripted_smtp import ScriptedSmtp
from tests.channels.email.test_receive import receiving, until
from tests.channels.email.test_send import REPLY, no_files
from tests.channels.email.token_server import TokenServer

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


class KeepingInlet(MemoryInlet):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[dict[str, str]] = []

    async def keep_settings(self, changes: Mapping[str, str]) -> None:
        self.kept.append(dict(changes))


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[TokenServer]:
    async with TokenServer().listening() as server:
        yield server


def channel(provider: TokenServer, **settings: str | int) -> Channel:
    return mailbox(**{**provider.settings, "oauth_refresh_token": "refresh-0", **settings})


def imap_channel(provider: TokenServer, box: ScriptedImap, **settings: str | int) -> Channel:
    return channel(provider, imap_host="127.0.0.1", imap_port=box.port, imap_security="none", **settings)


async def test_a_token_is_asked_for_once_and_renewed_before_it_ends(provider: TokenServer) -> None:
    clock = Clock()
    tokens = Tokens(channel(provider).settings, clock=clock)
    assert [await tokens.access_token() for _ in range(3)] == ["access-1"] * 3
    clock.now += timedelta(seconds=3600 - 5 * 60 - 1)
    assert (await tokens.access_token(), tokens.seconds_left) == ("access-1", 1.0)
    clock.now += timedelta(seconds=1)
    assert await tokens.access_token() == "access-2"
    refresh = {"grant_type": "refresh_token", "refresh_token": "refresh-0"}
    assert provider.forms == [{"client_id": "client-1", "client_secret": "client-secret", **refresh}] * 2


async def test_many_who_need_a_token_at_once_ask_once(provider: TokenServer) -> None:
    tokens = Tokens(channel(provider).settings)
    assert set(await asyncio.gather(*[tokens.access_token() for _ in range(20)])) == {"access-1"}
    assert len(provider.forms) == 1


async def test_a_new_refresh_token_is_handed_over_before_it_is_used(provider: TokenServer) -> None:
    provider.rotates, kept, clock = True, [], Clock()

    async def keep(changes: Mapping[str, str]) -> None:
        kept.append(dict(changes))

    tokens = Tokens(channel(provider, oauth_provider="microsoft").settings, keep, clock)
    for day in range(9):
        await tokens.access_token()
        clock.now += timedelta(days=1)
        assert provider.forms[day]["refresh_token"] == f"refresh-{day}"
    ends = {1: "2027-02-20T10:00:00.000000Z", 8: "2027-02-27T10:00:00.000000Z"}  # 90 days, kept once a week
    assert kept == [{"oauth_refresh_token": f"refresh-{n}", "oauth_expires_at": at} for n, at in ends.items()]


@pytest.mark.parametrize("extra", [{"refresh_token_expires_in": 86_400 * 10}, {"refresh_expires_in": "864000"}])
async def test_the_end_of_the_consent_is_told_before_it_comes(provider: TokenServer, extra: dict[str, object]) -> None:
    provider.extra = extra
    tokens = Tokens(channel(provider).settings, clock=Clock())
    assert tokens.warning() is None
    await tokens.access_token()
    assert tokens.warning() == "the consent for this mailbox ends on 2026-12-02: use `okno channels renew`"


async def test_a_withdrawn_consent_says_what_to_do(provider: TokenServer) -> None:
    tokens = Tokens(channel(provider, oauth_refresh_token="gone").settings)
    with pytest.raises(ConsentEnded, match=r"ask for it again \(400 invalid_grant: Token has been expired or revoked"):
        await tokens.access_token()
    with pytest.raises(ConsentEnded, match="nobody has consented yet"):
        await Tokens(channel(provider, oauth_refresh_token="").settings).access_token()


@pytest.mark.parametrize(
    "answer",
    [(503, {}), (200, {}), (200, {"access_token": "a\r\nb"}), (400, {"error": "temporarily_unavailable"})],
)
async def test_a_provider_in_trouble_is_tried_again(provider: TokenServer, answer: tuple[int, dict[str, str]]) -> None:
    provider.answers = [answer]
    tokens = Tokens(channel(provider).settings)
    with pytest.raises(OAuthUnreachable):
        await tokens.access_token()
    assert await tokens.access_token() == "access-1"


async def test_a_provider_that_is_not_there_is_named() -> None:
    server = TokenServer(port=1)
    with pytest.raises(OAuthUnreachable, match=r"127\.0\.0\.1 cannot be used"):
        await Tokens(channel(server).settings).access_token()


# --- the mailbox ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 IDLE SASL-IR AUTH=XOAUTH2", "IMAP4rev1 IDLE AUTH=XOAUTH2"])
async def test_a_mailbox_is_read_with_an_access_token(provider: TokenServer, capabilities: str) -> None:
    box, inlet = ScriptedImap({1: mail(1)}, capabilities=capabilities, tokens={"access-1"}), MemoryInlet()
    async with box.listening(), receiving(imap_channel(provider, box), inlet):
        assert len(await inlet.have(1)) == 1
    assert box.times("LOGIN") == 0


async def test_a_refused_token_is_told_at_once_in_the_servers_words(provider: TokenServer) -> None:
    box, started = ScriptedImap(), time.monotonic()
    async with box.listening():
        with pytest.raises(LoginRefused, match=r"refused XOAUTH2: \[AUTHENTICATIONFAILED\].* \{\"status\":\"401\""):
            await receiver(imap_channel(provider, box), MemoryInlet()).run()
    assert time.monotonic() - started < imap.CONNECT_SECONDS / 2


async def test_a_session_begins_anew_before_its_token_ends_and_loses_no_mail(
    provider: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "SHORTEST_LIFE_SECONDS", 0)
    provider.expires_in, box, inlet = 1, ScriptedImap(tokens={f"access-{n}" for n in range(1, 50)}), MemoryInlet()
    async with box.listening(), receiving(imap_channel(provider, box), inlet) as task:
        for number in range(1, 31):
            box.add(mail(number))
            await asyncio.sleep(0.06)
        items = await inlet.have(30)
        assert not task.done()
    assert [item.data for item in items] == [mail(number) for number in range(1, 31)]
    assert box.sessions >= 2
    assert {problem for _, problem in inlet.reports} == {None}


async def test_the_mailbox_warns_and_keeps_what_the_provider_changed(provider: TokenServer) -> None:
    provider.rotates, provider.extra = True, {"refresh_token_expires_in": 86_400}
    box, inlet = ScriptedImap(tokens={"access-1"}), KeepingInlet()
    async with box.listening(), receiving(imap_channel(provider, box), inlet):
        await until(lambda: inlet.reports)
    assert [kept["oauth_refresh_token"] for kept in inlet.kept] == ["refresh-1"]
    assert "the consent for this mailbox ends on" in str(inlet.reports[-1][1])


async def test_mail_is_sent_with_an_access_token(provider: TokenServer) -> None:
    async with ScriptedSmtp(tokens={"access-1"}).listening() as smtp:
        post = sender(channel(provider, smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none"), no_files)
        await post.send(REPLY)
        await post.send(REPLY)
        await post.close()
    assert (smtp.mails, smtp.logins) == (2, 1)


async def test_a_token_withdrawn_before_its_time_is_replaced_once(provider: TokenServer) -> None:
    async with ScriptedSmtp(tokens={"access-2"}).listening() as smtp:
        post = sender(channel(provider, smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none"), no_files)
        await post.send(REPLY)
        await post.close()
        smtp.tokens.clear()
        with pytest.raises(SenderBroken, match="535"):
            await post.send(REPLY)
    assert smtp.mails == 1


async def test_a_sender_without_consent_is_broken_and_one_without_answer_waits(provider: TokenServer) -> None:
    where: dict[str, str | int] = {"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none"}
    with pytest.raises(SenderBroken, match="ask for it again"):
        await sender(channel(provider, oauth_refresh_token="gone", **where), no_files).send(REPLY)
    provider.answers = [(503, {})]
    with pytest.raises(SendDelayed, match="token endpoint"):
        await sender(channel(provider, **where), no_files).send(REPLY)
