"""Room on the screen, also on 360 pixels: nothing sticks out of it, and nothing takes all of it."""

import asyncio

from playwright.async_api import Locator, Page, expect

from tests.flows.stage import Stage
from tests.flows.window import message, open_window, row

NARROW = {"width": 360, "height": 640}


async def right_edge(shown: Locator) -> float:
    box = await shown.bounding_box()
    assert box is not None
    return box["x"] + box["width"]


async def test_a_name_without_end_leaves_the_keys_of_its_message_within_reach(embedded: Stage, page: Page) -> None:
    form = {"name": "Имя" * 60, "email": "endless@client.example", "message": "endless name"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await open_window(page, embedded)
    await row(page, "endless name").click()
    shown = message(page, "endless name")
    await expect(shown).to_be_visible()
    for part in (shown, shown.get_by_test_id("raw"), shown.get_by_test_id("message-menu")):
        assert await right_edge(part) <= NARROW["width"]


async def test_a_long_question_of_a_form_leaves_room_for_its_answer(embedded: Stage, page: Page) -> None:
    question = "Как к вам обращаться и в какое время вам удобнее всего перезвонить"
    form = {"email": "long.question@client.example", "message": "a long question", question: "Пётр, после обеда"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await open_window(page, embedded)
    await row(page, "a long question").click()
    shown = message(page, "a long question").get_by_test_id("form-fields")
    fields, answer = await shown.bounding_box(), await shown.locator("dd").first.bounding_box()
    assert fields is not None
    assert answer is not None
    assert answer["width"] > fields["width"] / 2


async def test_the_page_of_a_customer_is_called_by_their_name(embedded: Stage, page: Page) -> None:
    form = {"name": "Вера Титова", "email": "title@client.example", "message": "what is my title"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "what is my title")
    await open_window(page, embedded)
    await page.goto(f"{embedded.url}/customers/{found['customer']['id']}")
    await expect(page).to_have_title("Вера Титова · Okno")


async def test_a_hundred_tags_leave_room_for_the_messages_and_the_answer(embedded: Stage, page: Page) -> None:
    form = {"email": "tagged@client.example", "message": "a hundred tags"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "a hundred tags")
    tags = {"add": [f"tag number {number}" for number in range(100)], "remove": []}
    embedded.api.post(f"/conversations/{found['id']}/tags", json=tags).raise_for_status()
    await page.set_viewport_size({"width": 1280, "height": 800})
    await open_window(page, embedded, f"/c/{found['id']}")
    await expect(page.get_by_test_id("tag")).to_have_count(100)
    box = await page.get_by_test_id("messages").bounding_box()
    assert box is not None
    assert box["height"] > 200
    await page.get_by_test_id("tag-add").click()
    await expect(page.get_by_test_id("tag-input")).to_be_in_viewport()
