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


async def test_an_address_without_end_stays_within_the_customer(embedded: Stage, page: Page) -> None:
    address = f"{'petr.' * 12}ivanov@{'department.' * 6}client.example"
    form = {"email": address, "message": "an endless address"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "an endless address")
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await open_window(page, embedded, "/")
    await page.goto(f"{embedded.url}/customers/{found['customer']['id']}")
    shown = page.get_by_test_id("identity").first.locator("span.cut").last
    await expect(shown).to_be_visible()
    assert await right_edge(shown) <= NARROW["width"]


async def test_a_name_that_turns_the_direction_turns_nothing_beside_it(embedded: Stage, page: Page) -> None:
    form = {"name": "\u202eexe.moc", "email": "turned@client.example", "message": "turned around"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "turned around")
    await page.set_viewport_size({"width": 1280, "height": 720})
    await open_window(page, embedded, f"/c/{found['id']}")
    channel = page.locator("[data-testid=timeline-entry][data-kind=form] .via").first
    await expect(channel).to_be_visible()
    first, last = await channel.evaluate(LETTERS)
    assert first < last


LETTERS = """shown => {
  const text = shown.firstChild
  return [0, text.length - 1].map((at) => {
    const letter = document.createRange()
    letter.setStart(text, at)
    letter.setEnd(text, at + 1)
    return letter.getBoundingClientRect().left
  })
}"""


async def test_the_way_out_can_be_reached_on_a_telephone_that_lies_down(embedded: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 844, "height": 390})
    await open_window(page, embedded)
    await page.mouse.move(30, 200)
    await page.mouse.wheel(0, 500)
    await expect(page.get_by_test_id("sign-out")).to_be_in_viewport(ratio=1)


async def test_the_list_of_keys_begins_with_its_first(embedded: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 1280, "height": 577})
    await open_window(page, embedded)
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("help").get_by_role("heading")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("help")).to_have_count(0)


async def test_a_conversation_is_printed_whole_and_without_what_is_pressed(embedded: Stage, page: Page) -> None:
    form = {"email": "paper@client.example", "message": "on paper\n" + "line\n" * 100 + "the last line"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "on paper")
    await page.set_viewport_size({"width": 1280, "height": 720})
    await open_window(page, embedded, f"/c/{found['id']}")
    await expect(message(page, "the last line")).to_be_visible()
    await page.emulate_media(media="print")
    box = await page.get_by_test_id("messages").bounding_box()
    assert box is not None
    assert box["height"] > 1500
    assert await page.evaluate("document.documentElement.scrollHeight") > 1500
    for pressed in ("conversation-list", "reply-box", "close"):
        await expect(page.get_by_test_id(pressed)).to_be_hidden()
