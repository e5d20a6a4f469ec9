"""A site includes one line and has the channel's form: shown in its language, sent once whatever the network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, Route, expect

from tests.flows.stage import SUPPORT, Stage, eventually
from tests.peers.process import free_port
from tests.peers.smtp import Received

QUICK = {"rate_limit": "0", "least_seconds": "0"}


@dataclass(frozen=True, slots=True)
class Shop:
    """Somebody's site on an origin of its own, with a form channel that takes posts from it."""

    url: str
    okno: str
    channel: str

    @property
    def posts(self) -> str:
        return f"{self.okno}/in/forms/{self.channel}"


@pytest.fixture(scope="module")
def channel(embedded: Stage) -> tuple[str, int]:
    """A form for the site on this port, whose clients are quick with their hands."""
    port = free_port()
    settings = {"allowed_origins": f"http://127.0.0.1:{port}", "reply_channel": "mailbox", **QUICK}
    return embedded.add_channel("web_form", "shop", settings), port


@pytest_asyncio.fixture(loop_scope="session")
async def shop(embedded: Stage, channel: tuple[str, int]) -> AsyncIterator[Shop]:
    id_, port = channel
    script = f'<script async src="{embedded.url}/forms/{id_}.js"></script>'
    russian = f'<html lang="ru"><meta charset=utf-8><h1>Магазин</h1>{script}<footer></footer></html>'.encode()
    async with site({"/ru": russian, "/en": russian.replace(b'lang="ru"', b'lang="en-GB"')}, port):
        yield Shop(f"http://127.0.0.1:{port}", embedded.url, id_)


@asynccontextmanager
async def site(html: dict[str, bytes], port: int) -> AsyncIterator[None]:
    """A web server of ten lines."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = html.get(head.split(b" ")[1].decode(), b"")
        lines = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(lines.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield


async def fill(page: Page, text: str) -> None:
    await page.locator("[name=name]").fill("Вера Павлова")
    await page.locator("[name=email]").fill(f"{uuid4().hex[:12]}@example.com")
    await page.locator("[name=message]").fill(text)
    await page.locator("[name=consent]").check()
    await page.locator("form button").click()


async def expect_state(page: Page, state: str) -> None:
    await expect(page.locator(f"form[data-state={state}]")).to_be_visible()


async def entries_with(stage: Stage, text: str) -> list[dict[str, object]]:
    """What the timelines have of it, once it is there at all."""
    await asyncio.to_thread(stage.conversation_with, text)
    conversations = await asyncio.to_thread(stage.conversations)
    found = [await asyncio.to_thread(stage.messages, each["id"]) for each in conversations]
    return [message for messages in found for message in messages if text in message["text"]]


async def test_one_line_on_a_site_shows_the_form_in_its_language_and_takes_a_message(
    embedded: Stage, page: Page, shop: Shop
) -> None:
    await page.goto(f"{shop.url}/en")
    await expect(page.locator("form.okno-form + footer")).to_be_attached()
    await expect(page.locator("form button")).to_have_text("Send")
    await page.goto(f"{shop.url}/ru")
    await expect(page.locator("form button")).to_have_text("Отправить")
    await fill(page, "по скрипту")
    await expect_state(page, "thanks")
    await expect(page.locator(".okno-said")).to_contain_text("Спасибо")
    await expect(page.locator("[name=message]")).to_have_value("")
    [entry] = await entries_with(embedded, "по скрипту")
    fields = dict(entry["fields"])  # type: ignore[attr-defined]
    assert list(fields)[:5] == ["name", "email", "phone", "message", "consent"]
    assert fields["_page"] == f"{shop.url}/ru"
    assert fields["consent_record"].startswith("Я согласен на обработку моих персональных данных · 20")
    assert f"127.0.0.1 · {shop.url}/ru" in fields["consent_record"]
    assert await page.context.cookies() == []


async def test_the_answer_leaves_from_the_mailbox_of_the_channel_with_the_clients_own_text_quoted(
    embedded: Stage, page: Page, shop: Shop
) -> None:
    await page.goto(f"{shop.url}/ru")
    await fill(page, "сколько стоит окно?")
    await expect_state(page, "thanks")
    conversation = await asyncio.to_thread(embedded.conversation_with, "сколько стоит окно?")
    assert conversation["cannot_reply"] is None
    address = f"/conversations/{conversation['id']}/replies"
    answer = await asyncio.to_thread(embedded.api.post, address, json={"text": "Десять тысяч."})
    assert answer.status_code == 201
    mail = await asyncio.to_thread(eventually, lambda: mail_to(embedded, conversation["reply_to"][0]))
    assert mail.sender == SUPPORT
    lines = message_from_bytes(mail.raw, policy=default).get_content().splitlines()
    assert (lines[0], lines[-1]) == ("Десять тысяч.", "> сколько стоит окно?")


def mail_to(stage: Stage, address: str) -> Received | None:
    return next((mail for mail in stage.smtp.mails if mail.recipients == (address,)), None)


async def test_a_form_that_is_not_filled_in_is_not_sent(page: Page, shop: Shop) -> None:
    await page.goto(f"{shop.url}/ru")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    await page.locator("form button").click()
    await expect(page.locator("[name=email]:invalid")).to_be_visible()
    assert posts == []


async def test_what_was_typed_without_a_connection_is_sent_once_after_the_page_was_closed(
    embedded: Stage, page: Page, shop: Shop, page_errors: list[str]
) -> None:
    await page.goto(f"{shop.url}/ru")
    await page.route(shop.posts, lambda route: route.abort())
    await fill(page, "из метро")
    await expect_state(page, "kept")
    await expect(page.locator(".okno-said")).to_contain_text("сохранено")
    await page.goto("about:blank")
    await page.unroute_all()
    await page.goto(f"{shop.url}/en")
    await expect_state(page, "thanks")
    assert len(await entries_with(embedded, "из метро")) == 1
    await page.reload()
    await expect(page.locator("form button")).to_be_visible()
    assert len(await entries_with(embedded, "из метро")) == 1
    forget_network_errors(page_errors)


async def test_a_file_chosen_without_a_connection_is_sent_with_the_message_later(
    embedded: Stage, page: Page, shop: Shop, page_errors: list[str]
) -> None:
    fields = '[{"name": "message", "type": "textarea"}, {"name": "photo", "type": "file"}]'
    channel = await asyncio.to_thread(embedded.add_channel, "web_form", "photos", {"fields": fields, **QUICK})
    posts = f"{shop.okno}/in/forms/{channel}"
    await page.goto(f"{shop.okno}/forms/{channel}")
    await page.route(posts, lambda route: route.abort())
    await page.locator("[name=message]").fill("с фотографией")
    photo = FilePayload(name="окно.png", mimeType="image/png", buffer=b"\x89PNG\x00\xff")
    await page.locator("[name=photo]").set_input_files(photo)
    await page.locator("form button").click()
    await expect_state(page, "kept")
    await page.unroute_all()
    await page.reload()
    await expect_state(page, "thanks")
    [entry] = await entries_with(embedded, "с фотографией")
    [file] = entry["attachments"]  # type: ignore[misc]
    assert (file["name"], file["media_type"], file["size"]) == ("окно.png", "image/png", 6)
    forget_network_errors(page_errors)


async def test_a_message_whose_answer_was_lost_is_sent_again_and_is_one_entry(
    embedded: Stage, page: Page, shop: Shop, page_errors: list[str]
) -> None:
    keys: list[str | None] = []

    async def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.goto(f"{shop.url}/ru")
    await page.route(shop.posts, lose_the_first_answer)
    await fill(page, "ответ пропал")
    await expect_state(page, "kept")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect_state(page, "thanks")
    assert len(keys) >= 2
    assert set(keys) == {keys[0]}
    assert len(await entries_with(embedded, "ответ пропал")) == 1
    forget_network_errors(page_errors)


async def test_what_the_server_refuses_is_given_back_with_the_reason(
    page: Page, shop: Shop, page_errors: list[str]
) -> None:
    async def refuse(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": shop.url, "Content-Type": "application/problem+json"}
        await route.fulfill(status=413, headers=headers, body='{"title": "Too large", "detail": "10 MB is the limit."}')

    await page.goto(f"{shop.url}/ru")
    await page.route(shop.posts, refuse)
    await fill(page, "слишком много")
    await expect_state(page, "refused")
    await expect(page.locator(".okno-said")).to_contain_text("10 MB is the limit.")
    await expect(page.locator("[name=message]")).to_have_value("слишком много")
    await expect(page.locator("[name=consent]")).to_be_checked()
    forget_network_errors(page_errors)


async def test_files_that_are_too_large_are_not_kept_to_be_sent_for_ever(
    embedded: Stage, page: Page, shop: Shop
) -> None:
    fields = '[{"name": "message", "type": "textarea"}, {"name": "film", "type": "file"}]'
    channel = await asyncio.to_thread(embedded.add_channel, "web_form", "films", {"fields": fields, **QUICK})
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    await page.goto(f"{shop.okno}/forms/{channel}")
    await page.locator("[name=message]").fill("с фильмом")
    film = FilePayload(name="окно.mp4", mimeType="video/mp4", buffer=bytes(9 * 1024 * 1024 + 1))
    await page.locator("[name=film]").set_input_files(film)
    await page.locator("form button").click()
    await expect_state(page, "refused")
    await expect(page.locator(".okno-said")).to_contain_text("9 MB")
    await expect(page.locator("[name=message]")).to_have_value("с фильмом")
    await page.locator("[name=film]").set_input_files([])
    await page.locator("form button").click()
    await expect_state(page, "thanks")
    [entry] = await entries_with(embedded, "с фильмом")
    assert (len(posts), entry["attachments"]) == (1, [])


KEEP = """form => new Promise(done => {
  const opening = indexedDB.open('okno-forms', 1)
  opening.onsuccess = () => {
    const transaction = opening.result.transaction('posts', 'readwrite')
    const film = new File([new Uint8Array(9 * 1024 * 1024 + 1)], 'film.mp4')
    const posts = transaction.objectStore('posts')
    posts.put({ key: '0'.repeat(32), form, fields: [['message', 'old'], ['film', film]] })
    posts.put({ key: '1'.repeat(32), form, fields: [['message', 'behind the film']] })
    transaction.oncomplete = () => { opening.result.close(); done() }
  }
})"""


async def test_files_that_are_too_large_and_were_kept_before_hold_up_nothing(
    embedded: Stage, page: Page, shop: Shop
) -> None:
    fields = '[{"name": "message", "type": "textarea"}, {"name": "film", "type": "file"}]'
    channel = await asyncio.to_thread(embedded.add_channel, "web_form", "old films", {"fields": fields, **QUICK})
    await page.goto(f"{shop.okno}/forms/{channel}")
    await page.locator("[name=message]").fill("first")
    await page.locator("form button").click()
    await expect_state(page, "thanks")
    await page.evaluate(KEEP, channel)
    await page.reload()
    await expect_state(page, "refused")
    await expect(page.locator(".okno-said")).to_contain_text("9 MB")
    await expect(page.locator("[name=message]")).to_have_value("old")
    await expect_state(page, "thanks")
    assert len(await entries_with(embedded, "behind the film")) == 1


async def test_a_page_can_read_that_its_post_is_too_long(page: Page, shop: Shop, page_errors: list[str]) -> None:
    await page.goto(f"{shop.url}/ru")
    send = "url => fetch(url, { method: 'POST', body: new Uint8Array(11 << 20) }).then(answer => answer.status)"
    assert await page.evaluate(send, shop.posts) == 413
    forget_network_errors(page_errors)


async def test_the_hosted_page_works_with_javascript_and_keeps_its_own_rules(
    embedded: Stage, page: Page, shop: Shop
) -> None:
    await page.goto(f"{shop.okno}/forms/{shop.channel}")
    await expect(page.locator("form button")).to_have_text("Send")
    await fill(page, "hosted page")
    await expect_state(page, "thanks")
    assert len(await entries_with(embedded, "hosted page")) == 1


async def test_the_hosted_page_works_without_javascript(embedded: Stage, browser: Browser, shop: Shop) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="ru-RU")
    page = await context.new_page()
    await page.goto(f"{shop.okno}/forms/{shop.channel}")
    await fill(page, "без скриптов")
    await expect(page.locator("[role=status]")).to_contain_text("Спасибо")
    [entry] = await entries_with(embedded, "без скриптов")
    assert [name for name, _ in entry["fields"]][:5] == ["name", "email", "phone", "message", "consent"]  # type: ignore[attr-defined]
    await context.close()


def forget_network_errors(page_errors: list[str]) -> None:
    """A failed request is an error on the console: here it was meant to fail."""
    page_errors[:] = [each for each in page_errors if "Failed to load resource" not in each and "ERR_" not in each]
