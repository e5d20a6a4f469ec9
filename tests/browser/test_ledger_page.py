"""The ledger as a page: what came against what is here, holes, and the chain; not for operators."""

import asyncio

from playwright.async_api import Page, expect

from tests.flows.stage import Stage, eventually
from tests.flows.window import open_window


async def test_an_admin_sees_that_nothing_is_missing_and_verifies_the_chain(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    form = {"email": "ledger@client.example", "message": "count me"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await asyncio.to_thread(embedded.conversation_with, "count me")
    await asyncio.to_thread(eventually, lambda: embedded.get("/reports/ledger")["complete"], 60, "what others left")
    await open_window(page, embedded)
    await page.get_by_test_id("nav-ledger").click()
    await expect(page.get_by_test_id("ledger-verdict")).to_have_attribute("data-complete", "true")
    counted = page.get_by_test_id("ledger-row").locator("[data-name=received]").filter(has_not_text="0")
    await expect(counted.first).to_be_visible()
    await page.get_by_test_id("chain-verify").click()
    await expect(page.get_by_test_id("chain-result")).to_contain_text("as recorded")
    await page.get_by_test_id("ledger-span").filter(has_text="whole history").click()
    await expect(page.get_by_test_id("ledger-verdict")).to_have_attribute("data-complete", "true")
