"""An admin erases a customer in the window, sees the certificate, and sets a hold and a rule, against a real Okno."""

import asyncio

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.flows.stage import Stage
from tests.flows.window import give_session
from tests.peers.browser import leave

SAID = "nobody shall read this any more"


async def test_a_customer_is_erased_for_good_and_shown_as_erased(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(write, embedded, SAID)
    await give_session(page, embedded.url)
    await page.goto(embedded.url)
    await page.get_by_text(SAID).first.click()
    await expect(page.get_by_test_id("reply-text")).to_be_visible()
    conversation = page.url
    await page.get_by_test_id("customer-name").click()
    await expect(page.get_by_test_id("timeline")).to_contain_text(SAID)
    customer = await page.get_by_test_id("customer").get_attribute("data-id")
    await held(page, embedded, str(customer))
    onlookers = [await page.context.new_page() for _ in range(2)]
    for onlooker, address in zip(onlookers, (conversation, f"{embedded.url}/customers/{customer}"), strict=True):
        await onlooker.goto(address)
        await expect(onlooker.get_by_text(SAID).first).to_be_visible()
    await page.goto(f"{embedded.url}/customers/{customer}")
    await page.get_by_test_id("erase").click()
    await expect(page.get_by_test_id("erase-button")).to_be_disabled()
    await page.get_by_test_id("erase-reason").fill("asked for it")
    await page.get_by_test_id("erase-confirm").fill("ERASE")
    await page.get_by_test_id("erase-button").click()
    await expect(page.get_by_test_id("erase-form")).to_have_count(0)
    await page.goto(f"{embedded.url}/privacy")
    erasure = page.get_by_test_id("erasure").filter(has_text="asked for it")
    async with asyncio.timeout(90):
        while await erasure.get_attribute("data-state") != "done":
            await asyncio.sleep(0.2)
            await page.get_by_role("button", name="Refresh").click()
    for onlooker in onlookers:  # who has it on screen has not touched anything
        await expect(onlooker.get_by_text(SAID)).to_have_count(0)
        await expect(onlooker.get_by_text("Erased client").first).to_be_visible()
        await onlooker.close()
    await erasure.get_by_test_id("certificate").click()
    await expect(erasure).to_contain_text("AES-256-GCM keys overwritten")
    await page.goto(f"{embedded.url}/customers/{customer}")
    await expect(page.get_by_test_id("customer-erased")).to_contain_text("was erased on")
    await expect(page.get_by_test_id("entry-erased")).to_have_count(1)
    await expect(page.get_by_text(SAID)).to_have_count(0)
    await expect(page.locator("[data-testid=timeline-entry][data-kind=erased]")).to_contain_text("asked for it")
    await expect(page.get_by_test_id("merge")).to_have_count(0)
    await expect(page.get_by_test_id("consent-add")).to_have_count(0)
    await page.goto(conversation)
    await expect(page.get_by_test_id("conversation-customer")).to_have_text("Erased client")
    await expect(page.get_by_test_id("cannot-reply")).to_contain_text("The client was erased")
    await expect(page.get_by_test_id("reply-text")).to_have_count(0)
    await leave(page, page_errors)  # the browser counts the refusal as one


async def held(page: Page, stage: Stage, customer: str) -> None:
    """A hold refuses the erasure until it is released; a rule is set and taken back."""
    await page.goto(f"{stage.url}/channels")
    await page.get_by_test_id("to-privacy").click()
    await page.get_by_test_id("hold-subject").fill(customer)
    await page.get_by_test_id("hold-reason").fill("a lawsuit")
    await page.get_by_test_id("hold-add").click()
    await expect(page.get_by_test_id("hold")).to_contain_text("a lawsuit")
    await page.goto(f"{stage.url}/customers/{customer}")
    await page.get_by_test_id("erase").click()
    await page.get_by_test_id("erase-confirm").fill("ERASE")
    await page.get_by_test_id("erase-button").click()
    await expect(page.get_by_text("a lawsuit")).to_be_visible()
    await page.goto(f"{stage.url}/privacy")
    await page.get_by_test_id("hold-release").click()
    await expect(page.get_by_test_id("hold-release")).to_have_count(0)
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await kept(page, "3650")
    await kept(page, "")


async def kept(page: Page, days: str) -> None:
    """A rule that was saved is there after a reload, which would have called the saving off."""
    rule = page.get_by_test_id("retention").first
    await rule.get_by_test_id("retention-days").fill(days)
    await rule.get_by_test_id("retention-save").click()
    await expect(page.get_by_test_id("notice")).to_be_visible()
    await page.reload()
    await expect(rule.get_by_test_id("retention-days")).to_have_value(days)
