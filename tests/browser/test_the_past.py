"""The window in the past: filters, both meanings, the list as it was, and why an entry is there."""

import asyncio
import re
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.flows.stage import Stage
from tests.flows.window import message, open_window, row
from tests.peers.browser import leave


def write(stage: Stage, text: str) -> None:
    sender = {"name": "Client", "email": f"{uuid4().hex[:12]}@example.com"}
    assert stage.post_form({**sender, "message": text}).status_code == 200


async def test_an_operator_filters_asks_why_and_goes_back_in_time(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(write, embedded, "who moved my order?")
    await open_window(page, embedded)
    await row(page, "who moved my order?").click()
    await expect(message(page, "who moved my order?")).to_be_visible()
    await page.get_by_test_id("note-tab").click()
    await page.get_by_test_id("note-text").fill("a note for us")
    await page.get_by_test_id("note-send").click()
    entries = page.get_by_test_id("timeline-entry")
    await expect(entries).to_have_count(2)

    await page.get_by_test_id("timeline-filter").click()
    await page.get_by_test_id("filter-kind").select_option("note")
    await expect(entries).to_have_count(1)
    await expect(entries).to_have_attribute("data-kind", "note")
    await page.reload()
    await expect(entries).to_have_count(1)
    await page.get_by_test_id("customer-name").click()
    await expect(page).to_have_url(re.compile(r"/customers/[^/]*\?kind=note$"))
    await expect(entries).to_have_attribute("data-kind", "note")
    await page.go_back()
    await page.get_by_test_id("timeline-filter").click()
    await page.get_by_test_id("filter-clear").click()
    await expect(entries).to_have_count(2)
    await expect(page).to_have_url(re.compile(r"/c/[^?]*$"))

    await page.locator("[data-testid=message][data-direction=inbound]").get_by_test_id("entry-menu").click()
    await page.get_by_test_id("why").click()
    await expect(page.get_by_test_id("why-because")).to_have_attribute("data-kind", "item")
    await expect(page.locator("[data-testid=why-link][data-relation=this]")).to_have_attribute(
        "data-type", "MessageReceived"
    )
    await page.get_by_test_id("why-close").click()
    await expect(page.get_by_test_id("why-panel")).to_have_count(0)

    await page.get_by_test_id("nav-inbox").click()
    await page.get_by_test_id("list-as-of-menu").click()
    await page.locator("[data-testid=as-of-preset][data-name=hour]").click()
    await expect(page.get_by_test_id("past-banner")).to_have_attribute("data-by", "known")
    await expect(row(page, "who moved my order?")).to_have_count(0)
    await page.get_by_test_id("list-as-of-menu").click()
    await page.locator("[data-testid=as-of-by][data-by=happened]").click()
    await expect(page.get_by_test_id("past-banner")).to_have_attribute("data-by", "happened")
    await page.get_by_test_id("back-to-now").click()
    await expect(row(page, "who moved my order?")).to_be_visible()
    assert page_errors == []


async def test_a_moment_typed_into_the_address_is_shown_as_what_it_is(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await open_window(page, embedded)
    local = await page.evaluate("new Date('2026-01-02T03:04:05Z').toLocaleString('en-US', {timeStyle: 'medium'})")
    await page.goto(f"{embedded.url}/?as_of=2026-01-02T03:04:05")
    await expect(page.get_by_test_id("past-banner")).to_contain_text(str(local).replace("\u202f", " "))
    await page.goto(f"{embedded.url}/?as_of=yesterday")
    await expect(page.get_by_test_id("past-banner")).to_contain_text("yesterday")
    await expect(page.get_by_test_id("trouble")).to_contain_text("as_of must be a time such as")
    await leave(page, page_errors)  # the browser counts the refusal as one
