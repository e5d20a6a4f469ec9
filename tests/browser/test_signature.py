"""An operator sees what will stand below their mail before it is sent, and changes it there, against a real Okno."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.policy import default

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.flows.stage import Stage
from tests.flows.window import answer, expect_delivery, open_window, row


async def test_a_signature_is_written_shown_and_sent(embedded: Stage, page: Page, page_errors: list[str]) -> None:
    await asyncio.to_thread(write, embedded, "who signs this")
    await open_window(page, embedded)
    await row(page, "who signs this").click()
    await page.get_by_test_id("signature-change").click()
    await page.get_by_test_id("own-signature-text").fill("Yours,\n{operator} {nobody}")
    await page.get_by_test_id("own-signature-keep").click()
    await expect(page.get_by_test_id("own-signature-text")).to_be_visible()
    await expect(page.get_by_text("there is no {nobody}")).to_be_visible()
    page_errors.clear()  # the refusal
    await page.get_by_test_id("own-signature-text").fill("Yours,\n{operator} at {organisation}")
    await page.get_by_test_id("own-signature-keep").click()
    shown = page.get_by_test_id("signature")
    await expect(shown).to_contain_text("Yours,")
    below = await shown.text_content()
    await answer(page, "an answer that is signed")
    await expect_delivery(page, "an answer that is signed", "sent")
    (mail,) = [each.raw for each in embedded.smtp.mails if b"an answer that is signed" in each.raw]
    text = message_from_bytes(mail, policy=default).get_body(("plain",))
    assert text is not None
    assert f"\n-- \n{below}\n" in text.get_content().replace("\r\n", "\n")
