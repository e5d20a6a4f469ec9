"""The page of what is due: in groups by when, each with its count."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.test_window import write
from tests.flows.stage import Stage
from tests.flows.window import open_window


def plan(stage: Stage, customer: str, days: int) -> dict[str, Any]:
    due = datetime.now(UTC) + timedelta(days=days)
    body = {"customer_id": customer, "what": f"due in {days} days", "due_at": due.isoformat()}
    answer = stage.api.post("/steps", json=body)
    planned: dict[str, Any] = answer.raise_for_status().json()
    return planned


async def test_what_is_due_stands_in_groups_with_their_counts(embedded: Stage, page: Page) -> None:
    text = f"plan me {uuid4().hex[:8]}"
    await asyncio.to_thread(write, embedded, text)
    conversation = await asyncio.to_thread(embedded.conversation_with, text)
    planned = [await asyncio.to_thread(plan, embedded, conversation["customer_id"], days) for days in (40, -2, -1)]
    try:
        await open_window(page, embedded)
        await page.get_by_test_id("nav-steps").click()
        groups = page.get_by_test_id("steps-group")
        await expect(groups).to_have_text(["Overdue 2", "Later 1"])
        first = page.get_by_test_id("steps-page").get_by_test_id("step")
        await expect(first).to_have_count(3)
        await expect(first.nth(0)).to_contain_text("due in -2 days")
        await expect(first.nth(2)).to_contain_text("due in 40 days")
        await expect(page.get_by_test_id("nav-steps").locator("b")).to_have_text("2")
        await first.nth(1).focus()
        await page.keyboard.press("ArrowDown")
        await expect(first.nth(2)).to_be_focused()
    finally:
        for step in planned:
            await asyncio.to_thread(embedded.api.post, f"/steps/{step['id']}/decline", json={})
