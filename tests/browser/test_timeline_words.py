"""What a timeline says of changes: which tags, until when, what and when next; and why an entry is there."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from playwright.async_api import Locator, Page, expect

from tests.browser.test_cards import a_client, api, in_russian
from tests.flows.stage import Stage

SOON = (datetime.now(UTC) + timedelta(days=30)).replace(day=15, hour=9, minute=5, second=0, microsecond=0).isoformat()


def entry(page: Page, kind: str) -> Locator:
    return page.locator(f"[data-testid=timeline-entry][data-kind={kind}]")


async def test_tags_and_times_are_said(embedded: Stage, page: Page) -> None:
    await a_client(embedded, page, "tags and times")
    conversation = f"/conversations/{await page.get_by_test_id('conversation').get_attribute('data-id')}"
    customer = await page.get_by_test_id("customer").get_attribute("data-id")
    await api(page, "POST", f"{conversation}/tags", {"add": ["urgent", "wholesale"], "remove": []})
    await expect(entry(page, "tagged")).to_contain_text("+ urgent, + wholesale · Ольга")
    await api(page, "POST", f"{conversation}/tags", {"add": [], "remove": ["urgent"]})
    await expect(entry(page, "tagged").first).to_contain_text("− urgent · Ольга")
    await api(page, "POST", f"{conversation}/snooze", {"until": SOON})
    await expect(entry(page, "snoozed")).to_contain_text(re.compile(r"until .*\b15\b.* · Ольга"))
    step = {"id": str(uuid4()), "customer_id": customer, "what": "send the contract", "due_at": SOON}
    await api(page, "POST", "/steps", step)
    await expect(entry(page, "step_planned")).to_contain_text(re.compile(r"send the contract, .*\b15\b.* · Ольга"))


async def test_why_is_said_in_the_language_of_the_window(embedded: Stage, page: Page) -> None:
    await a_client(embedded, page, "why am I here")
    await in_russian(page)
    await page.locator("[data-testid=timeline] .entry").first.get_by_role("button").click()
    await page.get_by_role("button", name="Почему?").click()
    await expect(page.get_by_test_id("why-conversation")).to_contain_text("первое сообщение ветки")
