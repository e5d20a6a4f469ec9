"""What the window makes of mails: quotations folded away, signatures nobody checked, pictures within an answer."""

from __future__ import annotations

import asyncio
import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

from playwright.async_api import Page, Route, expect

from tests.browser.test_window import write
from tests.browser.test_window_more import PIXEL
from tests.channels.email.test_opaque import SIGNED, letter, mail, signed
from tests.flows.mails import first_mail
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


async def test_what_was_forwarded_is_one_click_away_and_its_files_are_listed(embedded: Stage, page: Page) -> None:
    inner, sent = EmailMessage(policy=SMTP), EmailMessage(policy=SMTP)
    inner["From"], inner["Subject"] = "supplier@factory.example", "Счёт"
    inner.set_content("это переслано", charset="utf-8")
    inner.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="счёт.pdf")
    sent["From"], sent["To"], sent["Subject"] = "forwarder@client.example", SUPPORT, "Fwd: Счёт"
    sent["Message-ID"] = "<forwarder@client.example>"
    sent.set_content("посмотрите ниже", charset="utf-8")
    sent.add_attachment(inner)
    await asyncio.to_thread(embedded.deliver, sent.as_bytes())
    await open_window(page, embedded)
    await row(page, "посмотрите ниже").click()
    card = message(page, "посмотрите ниже")
    await expect(card.get_by_test_id("message-text")).not_to_contain_text("это переслано")
    await expect(card.get_by_test_id("attachment").filter(has_text="счёт.pdf")).to_be_visible()
    await card.get_by_test_id("show-full").click()
    await expect(card.get_by_test_id("message-text")).to_contain_text("это переслано")


async def test_a_stranger_who_quotes_somebody_elses_mail_is_marked(embedded: Stage, page: Page) -> None:
    victim = first_mail("victim@client.example", SUPPORT, "Debt", "this is a secret of mine", "<secret@client.example>")
    await asyncio.to_thread(embedded.deliver, victim)
    await asyncio.to_thread(embedded.conversation_with, "this is a secret of mine")
    sent = EmailMessage(policy=SMTP)
    sent["From"], sent["To"], sent["Subject"] = "eve@evil.example", SUPPORT, "Re: Debt"
    sent["Message-ID"], sent["In-Reply-To"] = "<eve@evil.example>", "<secret@client.example>"
    sent.set_content("what was it again")
    await asyncio.to_thread(embedded.deliver, sent.as_bytes())
    await open_window(page, embedded)
    await row(page, "what was it again").click()
    card = message(page, "what was it again")
    await expect(card.get_by_test_id("warning")).to_have_text("Quotes somebody else’s message")
    await expect(message(page, "this is a secret of mine")).to_have_count(0)


async def test_a_mailbox_says_how_far_it_is_behind_and_that_its_consent_ends_soon(embedded: Stage, page: Page) -> None:
    ends = "the consent for this mailbox ends on 2026-12-02: use `okno channels renew`"

    async def answer_with(route: Route) -> None:
        response = await route.fetch()
        body = await response.json()
        told = {"state": "failing", "problem": ends, "lag": 17}
        body["items"] = [each | (told if each["kind"] == "email" else {}) for each in body["items"]]
        await route.fulfill(response=response, json=body)

    await page.route("**/api/v1/channels", answer_with)
    await open_window(page, embedded)
    await page.goto(f"{embedded.url}/channels")
    card = page.get_by_test_id("channel").filter(has_text=ends)
    await expect(card).to_contain_text("17")
    await expect(page.get_by_test_id("channel").filter(has_not_text=ends).first).to_be_visible()


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
