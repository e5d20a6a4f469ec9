"""The page of everybody who may be somebody else: decided by keys alone, and not asked again."""

import asyncio
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.flows.stage import Stage, eventually
from tests.flows.window import open_window, row


async def two_of(stage: Stage, number: str) -> str:
    """Two who gave one number; return what the second has written."""
    tag = uuid4().hex[:8]
    for name in ("one", "two"):
        form = {"email": f"{name}.{tag}@client.example", "phone": number, "message": f"{name} of {tag}"}
        assert (await asyncio.to_thread(stage.post_form, form)).status_code == 200
    return tag


def refuse_all(stage: Stage) -> None:
    """What other tests have left."""
    for each in list(stage.all("/suggestions")):
        stage.api.post(f"/suggestions/{each['id']}/refuse", json={}).raise_for_status()


async def test_pairs_are_decided_by_keys_alone_and_refused_ones_come_no_more(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(refuse_all, embedded)
    tags = [await two_of(embedded, number) for number in ("+79161110801", "+79161110802", "+79161110803")]
    await open_window(page, embedded)
    await expect(page.get_by_test_id("nav-suggestions").locator("b")).to_have_text("3")
    await page.keyboard.press("o")
    pairs = page.get_by_test_id("pair")
    await expect(pairs).to_have_count(3)
    await expect(pairs.nth(0)).to_be_focused()
    await expect(pairs.nth(0).get_by_test_id("pair-reason")).to_contain_text("+79161110803")
    await page.keyboard.press("ArrowDown")
    await expect(pairs.nth(1)).to_be_focused()
    await page.keyboard.press("x")
    await expect(pairs).to_have_count(2)
    await expect(pairs.nth(1)).to_be_focused()
    await page.keyboard.press("y")
    await expect(pairs).to_have_count(1)
    await expect(pairs.nth(0)).to_contain_text(tags[2])
    await expect(pairs.nth(0)).to_be_focused()
    await page.reload()
    await expect(pairs).to_have_count(1)
    await expect(pairs.nth(0)).to_be_focused()
    await page.keyboard.press("x")
    await expect(page.get_by_test_id("suggestions-empty")).to_be_visible()
    await asyncio.to_thread(eventually, lambda: embedded.get("/suggestions")["items"] == [], 60, "nothing to ask")
    await page.get_by_test_id("nav-inbox").click()
    await row(page, f"two of {tags[0]}").click()
    await expect(page.get_by_test_id("member")).to_have_count(1)
