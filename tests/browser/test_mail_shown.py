"""What the window makes of mails: quotations folded away, signatures nobody checked, pictures within an answer."""

from __future__ import annotations

import asyncio
import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.browser.test_window_more import PIXEL
from tests.channels.email.test_opaque import SIGNED, letter, mail, signed
from tests.flows.stage import SUPPORT, Stage
from tests.flows.window import expect_delivery, message, open_window, row


async def test_the_quoted_history_is_one_click_away(embedded: Stage, page: Page) -> None:
    sent = EmailMessage(policy=SMTP)
    sent["From"], sent["To"], sent["Subject"] = "quoter@client.example", SUPPORT, "Re: Заказ"
    sent["Message-ID"] = "<quoter@client.example>"
    sent.set_content("это новое\n\n20 ноября 2026 г., 10:00, Окно пишет:\n> это старое\n", charset="utf-8")
    await asyncio.to_thread(embedded.deliver, sent.as_bytes())
    await open_window(page, embedded)
    await row(page, "это новое").click()
    card = message(page, "это новое")
    await expect(card.get_by_test_id("message-text")).not_to_contain_text("это старое")
    await card.get_by_test_id("show-full").click()
    await expect(card.get_by_test_id("message-text")).to_contain_text("это старое")


async def test_a_signed_mail_is_read_and_said_to_be_unchecked(embedded: Stage, page: Page) -> None:
    raw = b"Message-ID: <signed@client.example>\n" + mail(signed(letter("what is inside the signature")), SIGNED)
    await asyncio.to_thread(embedded.deliver, raw)
    await open_window(page, embedded)
    await row(page, "what is inside the signature").click()
    card = message(page, "what is inside the signature")
    await expect(card.get_by_test_id("warning")).to_have_text("Signature not checked")
    await expect(card.get_by_test_id("attachment")).to_contain_text("smime.p7m")


async def test_a_picture_stands_in_the_text_of_a_mail(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "show me the plan")
    await open_window(page, embedded)
    await row(page, "show me the plan").click()
    await page.get_by_test_id("reply-markdown").click()
    await page.get_by_test_id("reply-text").fill("Here is the plan:")
    await page.get_by_test_id("reply-picker").set_input_files(
        {"name": "plan.png", "mimeType": "image/png", "buffer": base64.b64decode(PIXEL)}
    )
    await page.get_by_test_id("reply-file-place").click()
    await page.get_by_test_id("reply-send").click()
    await expect_delivery(page, "Here is the plan:", "sent")
    (raw,) = [each.raw for each in embedded.smtp.mails if b"Here is the plan:" in each.raw]
    sent = message_from_bytes(raw, policy=default)
    (picture,) = [part for part in sent.walk() if part.get_content_type() == "image/png"]
    html = sent.get_body(("html",))
    assert html is not None
    assert f'src="cid:{str(picture["Content-ID"]).strip("<>")}"' in html.get_content()
    assert picture.get_content() == base64.b64decode(PIXEL)
