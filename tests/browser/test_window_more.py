"""What the window shows of a message, and what an operator can do besides writing words, against a real Okno."""

import asyncio
import base64
import hmac
import json
import time
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from playwright.async_api import Page, Request, Route, expect

from tests.browser.test_hostile_texts import OWN
from tests.browser.test_window import write
from tests.flows.mails import first_mail
from tests.flows.stage import SUPPORT, Stage, eventually
from tests.flows.window import answer, expect_delivery, message, open_window, row
from tests.peers.browser import leave
from tests.peers.fixtures import NewPage

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
"""A picture of one dot, in base64."""
AT = "2026-01-02T10:00:00Z"
KEY = b"a key of twenty-four byt"


# --- what is shown ----------------------------------------------------------------------------------------


async def test_html_of_a_mail_is_shown_where_nothing_runs_and_nothing_is_asked(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(embedded.deliver, decorated_mail("a decorated mail"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(foreign(request, embedded)))
    await open_window(page, embedded)
    await row(page, "a decorated mail").click()
    await expect(message(page, "a decorated mail")).to_be_visible()
    card = page.get_by_test_id("message")
    await card.get_by_test_id("show-html").click()
    frame = card.frame_locator("[data-testid=message-html]")
    await expect(frame.locator("h1")).to_have_text("Big news")
    await expect(card.get_by_test_id("images-blocked")).to_be_visible()
    sandbox = await card.get_by_test_id("message-html").get_attribute("sandbox")
    assert "allow-scripts" not in str(sandbox)
    await card.get_by_test_id("show-html").click()
    await expect(card.get_by_test_id("message-text")).to_contain_text("a decorated mail")
    assert "".join(asked) == ""


async def test_what_became_of_a_message_is_shown(embedded: Stage, page: Page, page_errors: list[str]) -> None:
    """As channels tell it that are not on this stage: their fields are put into the API's answer."""
    await asyncio.to_thread(write, embedded, "much became of this")
    await alter_messages(page, became)
    await open_window(page, embedded)
    await row(page, "much became of this").click()
    await expect(message(page, "much became of this")).to_be_visible()
    card = page.get_by_test_id("message")
    await expect(card.get_by_test_id("nature")).to_have_text("Automatic reply")
    await expect(card.get_by_test_id("warning")).to_have_text(["Sender not proven", "Two senders", "a_new_one"])
    await expect(card.get_by_test_id("reaction")).to_have_text("👍 🎉")
    await expect(card.get_by_test_id("attachment-state")).to_have_count(2)
    await expect(card.get_by_test_id("attachment-state").nth(1)).to_contain_text("larger than 20 MB")
    await card.get_by_test_id("edited").click()
    await expect(card.get_by_test_id("version")).to_contain_text("what stood here first")
    await card.get_by_test_id("show-html").click()
    frame = card.frame_locator("[data-testid=message-html]")
    await expect(frame.locator("b")).to_have_css("color", "rgb(255, 0, 0)")
    picture = frame.locator("img").nth(1)
    assert await picture.get_attribute("src") is None
    await card.get_by_test_id("images-show").click()
    await expect(picture).to_have_attribute("src", "https://pictures.invalid/a.gif")
    await page.get_by_test_id("language").click()
    await expect(card.get_by_test_id("nature")).to_have_text("Автоответ")
    await leave(page, page_errors)  # there is no such picture


async def test_a_deleted_message_says_so_and_a_reply_says_that_it_was_read(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "to be deleted soon")
    await open_window(page, embedded)
    await row(page, "to be deleted soon").click()
    await expect(message(page, "to be deleted soon")).to_be_visible()
    await answer(page, "an answer that is read")
    await expect_delivery(page, "an answer that is read", "sent")
    await alter_messages(page, ended)
    await page.reload()
    await expect(page.get_by_test_id("deleted")).to_be_visible()
    ours = message(page, "an answer that is read", "outbound")
    await expect(ours.locator("[data-testid=delivery][data-state=read]")).to_be_visible()
    await expect(ours.get_by_test_id("complained")).to_be_visible()


# --- answering --------------------------------------------------------------------------------------------


async def test_an_answer_has_recipients_files_and_markdown(embedded: Stage, page: Page) -> None:
    raw = first_mail(
        "buyer@client.example", SUPPORT, "Contract", "please send the contract", "<contract@client.example>"
    )
    await asyncio.to_thread(embedded.deliver, raw)
    await open_window(page, embedded)
    await row(page, "please send the contract").click()
    await page.get_by_test_id("recipients").click()
    await expect(page.get_by_test_id("reply-to-field")).to_have_value("buyer@client.example")
    await page.get_by_test_id("reply-to-field").fill("buyer@client.example, Lawyer <lawyer@client.example>")
    await page.get_by_test_id("reply-text").fill("here **it** is")
    await page.get_by_test_id("reply-cc-field").fill("boss@client.example, nonsense")
    await expect(page.get_by_test_id("wrong-address")).to_contain_text("nonsense")
    await expect(page.get_by_test_id("reply-send")).to_be_disabled()
    await page.get_by_test_id("reply-cc-field").fill("Boss <boss@client.example>")
    await page.get_by_test_id("reply-bcc-field").fill("archive@okno.test")
    await page.get_by_test_id("reply-quote").click()
    await page.get_by_test_id("reply-markdown").click()
    await page.get_by_test_id("reply-preview").click()
    await expect(page.get_by_test_id("preview").locator(".bold")).to_have_text("it")
    await attach(page, "Договор.pdf", b"%PDF-1.4 of a contract")
    await attach(page, "wrong.txt", b"not this one")
    await page.get_by_test_id("reply-file").filter(has_text="wrong.txt").get_by_role("button").click()
    await page.reload()
    await expect(page.get_by_test_id("reply-file")).to_have_count(1)
    await expect(page.get_by_test_id("reply-file")).to_contain_text("Договор.pdf")
    for shown in ("buyer@client.example", "lawyer@client.example", "boss@client.example", "archive@okno.test"):
        await expect(page.get_by_test_id("reply-to")).to_contain_text(shown)
    await page.get_by_test_id("reply-send").click()
    sent = message(page, "here it is", "outbound")
    await expect(sent.get_by_test_id("attachment")).to_contain_text("Договор.pdf")
    await expect(sent.get_by_test_id("sent-to")).to_contain_text("Bcc: archive@okno.test")
    await expect(page.get_by_test_id("reply-file")).to_have_count(0)
    told = await asyncio.to_thread(reply_in, embedded, "here **it** is")
    assert (told["to"], told["cc"], told["bcc"]) == (
        ["buyer@client.example", "lawyer@client.example"],
        ["boss@client.example"],
        ["archive@okno.test"],
    )
    assert told["markup"] == "markdown"
    file = await asyncio.to_thread(embedded.api.get, f"{embedded.url}{told['attachments'][0]['url']}")
    assert file.content == b"%PDF-1.4 of a contract"


async def test_a_picture_is_attached_by_dropping_and_shown_small(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "drop a picture here")
    await open_window(page, embedded)
    await row(page, "drop a picture here").click()
    await expect(message(page, "drop a picture here")).to_be_visible()
    box = page.get_by_test_id("reply-box")
    await box.evaluate(
        """(box, text) => {
            const files = new DataTransfer()
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
            files.items.add(new File([bytes], 'dot.png', {type: 'image/png'}))
            for (const name of ['dragover', 'drop'])
                box.dispatchEvent(new DragEvent(name, {dataTransfer: files, bubbles: true, cancelable: true}))
        }""",
        PIXEL,
    )
    await expect(page.get_by_test_id("reply-file")).to_contain_text("dot.png")
    await page.get_by_test_id("reply-send").click()
    thumbnail = page.locator("[data-testid=message][data-direction=outbound]").get_by_test_id("thumbnail")
    await expect(thumbnail).to_be_visible()
    await expect(thumbnail).to_have_js_property("naturalWidth", 1)


# --- next steps and calls ---------------------------------------------------------------------------------


async def test_who_left_only_a_number_is_called_back_by_a_planned_step(embedded: Stage, page: Page) -> None:
    posted = await asyncio.to_thread(embedded.post_form, {"phone": "+79161110033", "message": "call me please"})
    assert posted.status_code == 200
    await open_window(page, embedded)
    await row(page, "call me please").click()
    await expect(page.get_by_test_id("call-tel")).to_have_attribute("href", "tel:+79161110033")
    await page.get_by_test_id("plan-call").click()
    await page.locator("[data-testid=plan-call-at][data-name=one_hour]").click()
    pane = page.get_by_test_id("customer-steps")
    await expect(pane.locator("[data-testid=step][data-what=call_back]")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.locator("body").press("s")
    step = page.get_by_test_id("steps-page").locator("[data-testid=step][data-what=call_back]")
    await expect(step).to_be_visible()
    id_ = await step.get_attribute("data-id")
    await step.focus()
    await page.keyboard.press("p")
    await expect(page.get_by_test_id("notice").filter(has_text="Step postponed")).to_be_visible()
    await step.focus()
    await page.keyboard.press("d")
    await expect(step).to_have_count(0)

    def done() -> list[str]:
        return [each["what"] for each in embedded.get("/steps", state="done")["items"] if each["id"] == id_]

    assert await asyncio.to_thread(eventually, done, 60, "a done step") == ["call_back"]


async def test_what_is_due_is_counted_in_the_rail_and_goes_when_another_ends_it(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "something is due with me")
    conversation = await asyncio.to_thread(embedded.conversation_with, "something is due with me")
    await open_window(page, embedded, f"/c/{conversation['id']}")
    await page.get_by_test_id("step-plan").click()
    await page.get_by_test_id("step-what").fill("send the samples")
    await page.get_by_test_id("step-when").fill("2026-01-02T10:00")
    await page.get_by_test_id("step-save").click()
    step = page.get_by_test_id("customer-steps").get_by_test_id("step")
    await expect(step).to_contain_text("send the samples")
    await expect(page.get_by_test_id("nav-steps").locator("b")).to_have_text("1")
    planned = await asyncio.to_thread(embedded.get, "/steps")
    answered = await asyncio.to_thread(embedded.api.post, f"/steps/{planned['items'][0]['id']}/decline", json={})
    assert answered.status_code == 200
    await expect(step).to_have_count(0)
    await expect(page.get_by_test_id("nav-steps").locator("b")).to_have_count(0)


async def test_a_ringing_call_shows_the_last_messages_in_every_window(embedded: Stage, new_page: NewPage) -> None:
    number = "+79161110044"
    fields = {"phone": number, "message": "before I call you"}
    assert (await asyncio.to_thread(embedded.post_form, fields)).status_code == 200
    await asyncio.to_thread(embedded.conversation_with, "before I call you")
    await asyncio.to_thread(add_line, embedded)
    first, second = await new_page(), await new_page()
    await open_window(first, embedded)
    await open_window(second, embedded)
    await second.get_by_test_id("nav-channels").click()
    await asyncio.to_thread(ring, embedded, "ringing", number)
    for each in (first, second):
        card = each.locator("[data-testid=call-card][data-state=ringing]")
        await expect(card).to_contain_text(number)
        await expect(card.get_by_test_id("call-before")).to_contain_text("before I call you")
    await asyncio.to_thread(ring, embedded, "missed", number)
    await expect(second.locator("[data-testid=call-card][data-state=missed]")).to_be_visible()
    await second.get_by_test_id("call-open").click()
    await expect(second.locator("[data-testid=call][data-state=missed]")).to_be_visible()


# --- moving -----------------------------------------------------------------------------------------------


async def test_a_message_is_moved_to_a_conversation_of_its_own(embedded: Stage, page: Page) -> None:
    sender = {"name": "Mover", "email": "mover@example.com"}
    for text in ("this one stays", "this one is moved"):
        assert (await asyncio.to_thread(embedded.post_form, {**sender, "message": text})).status_code == 200
        conversation = await asyncio.to_thread(embedded.conversation_with, text)
    await open_window(page, embedded, f"/c/{conversation['id']}")
    moved = message(page, "this one is moved")
    await moved.get_by_test_id("message-menu").click()
    await moved.get_by_test_id("move").click()
    await moved.get_by_test_id("move-new").click()
    await expect(moved).to_have_count(0)
    await page.get_by_test_id("notice").get_by_role("button", name="Open").click()
    await expect(message(page, "this one is moved")).to_be_visible()
    now = await asyncio.to_thread(embedded.conversation_with, "this one is moved")
    assert now["id"] != conversation["id"]


# --- helpers ----------------------------------------------------------------------------------------------


def decorated_mail(text: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "shop@client.example", SUPPORT, "News"
    mail["Message-ID"] = f"<{uuid4()}@client.example>"
    mail.set_content(text)
    html = (
        "<h1>Big news</h1><script>alert(1)</script>"
        "<img src='https://pictures.invalid/pixel.gif'><a href='https://a.example/'>link</a>"
    )
    mail.add_alternative(html + "".join(OWN), subtype="html")
    return mail.as_bytes()


def foreign(request: Request, stage: Stage) -> str:
    """The address of a request that leaves the stage, else nothing."""
    parts = urlsplit(request.url)
    inside = parts.scheme in ("data", "blob", "about") or parts.netloc == urlsplit(stage.url).netloc
    return "" if inside else request.url


async def alter_messages(page: Page, alter: Any) -> None:
    async def answer_with(route: Route) -> None:
        response = await route.fetch()
        body = await response.json()
        body["items"] = [{**each, **alter(each)} for each in body["items"]]
        await route.fulfill(response=response, json=body)

    await page.route("**/api/v1/conversations/*/messages?*", answer_with)


def became(entry: dict[str, Any]) -> dict[str, Any]:
    file = {"size": 5, "media_type": "image/png", "sha256": None, "url": None, "problem": None}
    return {
        "nature": "automatic",
        "warnings": ["dmarc_failed", "two_senders", "a_new_one"],
        "fields": None,
        "html": '<b style="color: #ff0000">x</b><img src="cid:a@b"><img data-remote-src="https://pictures.invalid/a.gif">',
        "edited_at": AT,
        "versions": [
            {
                "text": "what stood here first",
                "full_text": None,
                "html": None,
                "attachments": [],
                "at": AT,
            }
        ],
        "reactions": [{"author": {"kind": "customer", "name": "Ann"}, "reactions": ["👍", "🎉"], "at": AT}],
        "attachments": [
            {**file, "id": "f1", "name": "coming.png", "state": "fetching"},
            {**file, "id": "f2", "name": "huge.mov", "state": "missing", "problem": "larger than 20 MB"},
        ],
    }


def ended(entry: dict[str, Any]) -> dict[str, Any]:
    if entry["direction"] == "inbound":
        return {"text": "", "full_text": "", "fields": None, "deleted_at": AT}
    said = {"recipient": None, "code": None, "error": None, "at": AT}
    return {"delivery": {**entry["delivery"], "notices": [{"state": "read", **said}, {"state": "complained", **said}]}}


async def attach(page: Page, name: str, data: bytes) -> None:
    await page.get_by_test_id("reply-picker").set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})
    await expect(page.get_by_test_id("reply-file").filter(has_text=name)).to_be_visible()


def reply_in(stage: Stage, text: str) -> dict[str, Any]:
    conversation = stage.conversation_with(text)
    return next(each for each in stage.messages(conversation["id"]) if each["text"] == text)


def add_line(stage: Stage) -> None:
    secret = "whsec_" + base64.b64encode(KEY).decode()
    channel = stage.add_channel("telephony", "phone", {"provider": "generic", "country": "RU", "secret": secret})

    def is_open() -> bool:
        asked = httpx.post(line(stage, channel), content=b"{}", timeout=20, trust_env=False, verify=False)
        return asked.status_code == 401

    eventually(is_open, what="the line")


def line(stage: Stage, channel: str) -> str:
    return f"{stage.named('ingest')[0].url}/in/telephony/{channel}"


def ring(stage: Stage, state: str, number: str) -> None:
    """The provider tells of the call, signed as Standard Webhooks says."""
    data = {"call_id": f"call-{number}", "from": number, "to": "+74951234567", "direction": "inbound"}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = json.dumps({"type": f"call.{state}", "timestamp": at, "data": data}).encode()
    id_, stamp = uuid4().hex, str(int(time.time()))
    signature = base64.b64encode(hmac.digest(KEY, f"{id_}.{stamp}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    told = httpx.post(
        line(stage, stage.channels["phone"]), content=body, headers=headers, timeout=20, trust_env=False, verify=False
    )
    told.raise_for_status()
