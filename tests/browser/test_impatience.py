"""A server that takes its time, and an operator who does not: what is pressed twice is done once."""

import asyncio

from playwright.async_api import Page, Route, expect

from tests.flows.stage import Stage
from tests.flows.window import give_session, message, open_window

SLOW_SECONDS = 0.5


async def slowly(route: Route) -> None:
    await asyncio.sleep(SLOW_SECONDS)
    await route.continue_()


async def three_wait(stage: Stage, page: Page, name: str) -> list[str]:
    """The newest three of the list, the first of them open."""
    for number in (3, 2, 1):
        form = {"email": f"{name}.{number}@client.example", "message": f"{name} {number}"}
        assert (await asyncio.to_thread(stage.post_form, form)).status_code == 200
        await asyncio.to_thread(stage.conversation_with, f"{name} {number}")
    ids = [(await asyncio.to_thread(stage.conversation_with, f"{name} {number}"))["id"] for number in (1, 2, 3)]
    await open_window(page, stage, f"/c/{ids[0]}")
    await expect(message(page, f"{name} 1")).to_be_visible()
    await expect(page.get_by_test_id("conversation-row").first).to_have_attribute("data-id", ids[0])
    return ids


async def test_who_closes_twice_while_the_server_is_slow_passes_no_conversation_by(embedded: Stage, page: Page) -> None:
    ids = await three_wait(embedded, page, "impatient")
    await page.route("**/close", slowly)
    await page.keyboard.press("Shift+KeyE")
    async with page.expect_response(f"**/{ids[0]}/close"):
        await page.keyboard.press("Shift+KeyE")
    await page.wait_for_timeout(2000 * SLOW_SECONDS)
    assert page.url == f"{embedded.url}/c/{ids[1]}"


async def test_a_key_that_is_held_closes_one_conversation(embedded: Stage, page: Page) -> None:
    ids = await three_wait(embedded, page, "held")
    await page.keyboard.down("Shift")
    for _ in range(10):
        await page.keyboard.down("KeyE")
        await page.wait_for_timeout(100)
    await page.keyboard.up("KeyE")
    await page.keyboard.up("Shift")
    await expect(message(page, "held 2")).to_be_visible()
    assert page.url == f"{embedded.url}/c/{ids[1]}"
    assert (await asyncio.to_thread(embedded.conversation_with, "held 3"))["status"] == "open"


async def test_a_partner_added_with_a_double_click_is_added_once(embedded: Stage, page: Page) -> None:
    await give_session(page, embedded.url)
    await page.goto(f"{embedded.url}/channels")
    await page.route("**/api/v1/webhooks", slowly)
    await page.get_by_test_id("webhook-url").fill("https://twice.partner.example/in")
    await page.get_by_test_id("webhook-add").dblclick()
    await expect(page.get_by_test_id("webhook-secret")).to_be_visible()
    await page.wait_for_timeout(2000 * SLOW_SECONDS)
    hooks = embedded.api.get("/webhooks").json()["items"]
    added = [each["id"] for each in hooks if each["url"] == "https://twice.partner.example/in"]
    for each in added:
        embedded.api.delete(f"/webhooks/{each}").raise_for_status()
    assert len(added) == 1
