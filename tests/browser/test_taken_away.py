"""Who is writing when somebody else changes what they write in: no word is lost, and no letter becomes a command."""

import asyncio
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.test_tidying import fill_in
from tests.flows.stage import Stage
from tests.flows.window import message, open_window


async def two(stage: Stage) -> tuple[str, str]:
    """Two conversations of one client."""
    tag = uuid4().hex[:8]
    return await fill_in(stage, f"first {tag}"), await fill_in(stage, f"second {tag}")


async def test_what_is_being_written_when_another_merges_the_conversation_is_taken_along(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    first, second = await two(embedded)
    await open_window(page, embedded, f"/c/{first}")
    await page.get_by_test_id("reply-text").press_sequentially("Dear client, so ")
    merge = asyncio.create_task(
        asyncio.to_thread(embedded.api.post, f"/conversations/{first}/merge", json={"into": second})
    )
    while not await page.get_by_test_id("merged-banner").is_visible():
        await page.keyboard.type("o")
        await page.wait_for_timeout(50)
    (await merge).raise_for_status()
    await page.keyboard.type("seuax")
    await expect(page.get_by_test_id("kept-text")).to_contain_text("Dear client, so")
    assert page.url == f"{embedded.url}/c/{first}"
    await page.get_by_test_id("merged-carry").click()
    await expect(page.get_by_test_id("conversation")).to_have_attribute("data-id", second)
    assert (await page.get_by_test_id("reply-text").input_value()).startswith("Dear client, so")
    there = await asyncio.to_thread(embedded.get, f"/conversations/{second}")
    assert (there["status"], there["assignee"], there["merged_into"]) == ("open", None, None)


async def test_who_merges_a_conversation_goes_on_writing_where_it_goes_on(embedded: Stage, page: Page) -> None:
    first, second = await two(embedded)
    await open_window(page, embedded, f"/c/{second}")
    await page.get_by_test_id("reply-text").fill("and also this")
    await page.goto(f"{embedded.url}/c/{first}")
    await page.get_by_test_id("reply-text").fill("before this")
    await page.get_by_test_id("reply-text").press("Escape")
    await page.keyboard.press("m")
    await page.get_by_test_id("tidy-into").click()
    await expect(page.get_by_test_id("conversation")).to_have_attribute("data-id", second)
    await expect(page.get_by_test_id("reply-text")).to_have_value("and also this\n\nbefore this")


async def test_what_was_written_can_be_read_when_no_answer_is_possible_any_more(embedded: Stage, page: Page) -> None:
    tag = uuid4().hex[:8]
    form = {"phone": "+79161110055", "message": f"call me {tag}"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, f"call me {tag}")
    await open_window(page, embedded)
    await page.evaluate(f"localStorage.setItem('okno.draft.reply.{found['id']}', 'half of an answer')")
    await page.goto(f"{embedded.url}/c/{found['id']}")
    await expect(page.get_by_test_id("cannot-reply")).to_be_visible()
    await expect(page.get_by_test_id("kept-text")).to_contain_text("half of an answer")


async def test_an_answer_taken_back_leaves_the_files_of_the_one_being_written(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    tag = uuid4().hex[:8]
    await open_window(page, embedded, f"/c/{await fill_in(embedded, f'two answers {tag}')}")
    await page.route("**/replies", lambda route: route.abort())
    await attach(page, "first.txt")
    await page.get_by_test_id("reply-text").fill("the first")
    await page.get_by_test_id("reply-send").click()
    await expect(page.get_by_test_id("sending-back")).to_be_visible()
    await attach(page, "second.txt")
    await page.get_by_test_id("sending-back").click()
    await expect(page.get_by_test_id("reply-file")).to_have_count(2)
    page_errors[:] = [each for each in page_errors if "ERR_FAILED" not in each]  # the browser itself tells of it


async def attach(page: Page, name: str) -> None:
    file = {"name": name, "mimeType": "text/plain", "buffer": name.encode()}
    await page.get_by_test_id("reply-picker").set_input_files(files=[file])  # type: ignore[list-item]
    await expect(page.get_by_test_id("reply-file").filter(has_text=name)).to_be_visible()


async def test_who_answers_what_another_closed_meanwhile_is_told_that_it_stays_closed(
    embedded: Stage, page: Page
) -> None:
    conversation = await fill_in(embedded, f"closed meanwhile {uuid4().hex[:8]}")
    await open_window(page, embedded, f"/c/{conversation}")
    await page.get_by_test_id("reply-text").press_sequentially("one more ")
    (await asyncio.to_thread(embedded.api.post, f"/conversations/{conversation}/close", json={})).raise_for_status()
    await expect(page.get_by_test_id("reply-box")).to_contain_text("stays closed until the client writes again")
    await page.keyboard.type("word")
    await page.keyboard.press("Control+Enter")
    await expect(message(page, "one more word", "outbound").get_by_test_id("delivery")).to_be_visible()
    assert (await asyncio.to_thread(embedded.get, f"/conversations/{conversation}"))["status"] == "closed"
