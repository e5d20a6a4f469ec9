"""The search of the window, by key and by mouse, against a real Okno."""

import asyncio

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.flows.stage import Stage
from tests.flows.window import message, open_window


async def test_what_is_found_opens_where_it_was_said(embedded: Stage, page: Page, page_errors: list[str]) -> None:
    await asyncio.to_thread(write, embedded, "Где мои <b>договоры</b> поставки?")
    await asyncio.to_thread(write, embedded, "another question")
    await open_window(page, embedded)
    await page.keyboard.press("/")
    box, hit = page.get_by_test_id("search-input"), page.get_by_test_id("search-hit")
    await expect(box).to_be_focused()
    await box.fill("нет такого слова")
    await expect(page.get_by_test_id("search-nothing")).to_be_visible()
    async with asyncio.timeout(60):
        while await hit.count() == 0:  # the index follows a second behind
            await box.fill("")
            await box.fill("договор")
            await page.wait_for_timeout(500)
    await expect(hit.locator("mark").first).to_have_text("договоры")
    await hit.filter(has_text="поставки").first.click()
    await expect(message(page, "Где мои <b>договоры</b> поставки?")).to_be_visible()
    await expect(page.get_by_test_id("search")).to_have_count(0)
    await page.get_by_test_id("nav-search").click()
    await expect(box).to_be_focused()
    await expect(box).to_have_value("договор")
    await page.keyboard.type("друг")
    await expect(box).to_have_value("друг")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("search")).to_have_count(0)
