"""An admin looks after partners' webhooks in the window, against a real Okno."""

import asyncio
import re

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.flows.stage import Stage, eventually
from tests.flows.window import give_session
from tests.peers.browser import leave

SECONDS = 30_000


async def test_a_webhook_is_added_watched_paused_sent_again_and_removed(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(write, embedded, "something to tell a partner")
    await give_session(page, embedded.url)
    await page.goto(f"{embedded.url}/channels")
    await page.get_by_test_id("webhook-url").fill("http://partner.invalid/okno")
    await page.get_by_test_id("webhook-add").click()
    await expect(page.get_by_text("http:// can be read on the way")).to_be_visible()
    await page.get_by_test_id("webhook-url").fill("https://partner.invalid/okno")
    await page.get_by_test_id("webhook-types").fill("MessageReceived, NoteAdded")
    await page.get_by_test_id("webhook-add").click()
    await expect(page.get_by_test_id("webhook-secret")).to_contain_text("whsec_")
    card = page.get_by_test_id("webhook")
    await expect(card).to_contain_text("MessageReceived, NoteAdded")
    await expect(card.get_by_test_id("webhook-behind")).to_have_text("up to date")
    await card.get_by_test_id("webhook-rewind").click()
    await card.get_by_test_id("webhook-position").fill("0")
    await card.get_by_test_id("webhook-rewind-go").click()
    await expect(card.get_by_test_id("webhook-behind")).to_contain_text("behind")
    await asyncio.to_thread(failed, embedded)
    await card.get_by_test_id("webhook-log").click()
    await expect(card.get_by_test_id("webhook-delivery").first).to_contain_text(re.compile(r"try \d"), timeout=SECONDS)
    await card.get_by_test_id("webhook-pause").click()
    await expect(page.locator("[data-testid=webhook][data-state=paused]")).to_be_visible()
    await page.get_by_test_id("language").click()
    await expect(card).to_contain_text("Пауза")
    await card.get_by_test_id("webhook-remove").click()
    await card.get_by_test_id("webhook-remove").click()
    await expect(card).to_have_count(0)
    await leave(page, page_errors)  # the browser counts the refusal as one


def failed(stage: Stage) -> None:
    """Wait until the address that does not exist has been tried."""
    eventually(lambda: stage.okno_json("webhooks", "deliveries", "https://partner.invalid/okno")["items"], 60)
