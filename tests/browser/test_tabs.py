"""Several tabs of one browser have one session: where it ends, all of them ask to sign in."""

import asyncio

import httpx
from playwright.async_api import Page, expect

from tests.browser.test_cards import a_client, field
from tests.flows.stage import Stage
from tests.flows.window import give_session, message, open_window


async def test_who_signs_out_in_one_tab_is_signed_out_in_the_others(embedded: Stage, page: Page) -> None:
    """At once, not when something next changes: what is on screen is about clients."""
    await open_window(page, embedded)
    other = await page.context.new_page()
    await other.goto(embedded.url)
    await expect(other.get_by_test_id("conversation-list")).to_be_visible()
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_test_id("login-form")).to_be_visible()
    await expect(other.get_by_test_id("login-form")).to_be_visible()


async def test_who_saves_a_field_or_a_file_when_the_session_has_ended_is_asked_to_sign_in(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await a_client(embedded, page, "the session ends over my card")
    await page.get_by_test_id("card-more").click()
    await field(page, "segment").get_by_test_id("card-value").click()
    await page.get_by_test_id("card-input").fill("B2B")
    await page.context.clear_cookies()
    await page.get_by_test_id("card-save").click()
    await expect(page.get_by_test_id("login-form")).to_be_visible()
    await give_session(page, embedded.url)
    await page.goto(f"{embedded.url}/import")
    await expect(page.get_by_test_id("import-file")).to_be_visible()
    await page.context.clear_cookies()
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"email\r\na@b.example\r\n"}
    await page.get_by_test_id("import-file").set_input_files(files=[file])  # type: ignore[list-item]
    await expect(page.get_by_test_id("login-form")).to_be_visible()
    page_errors[:] = [each for each in page_errors if "401" not in each]  # the browser itself tells of it


async def test_an_answer_sent_from_one_tab_does_not_stand_in_the_other_to_be_sent_again(
    embedded: Stage, page: Page
) -> None:
    form = {"email": "two.tabs@client.example", "message": "one answer, two tabs"}
    assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    found = await asyncio.to_thread(embedded.conversation_with, "one answer, two tabs")
    await open_window(page, embedded, f"/c/{found['id']}")
    other = await page.context.new_page()
    await other.goto(f"{embedded.url}/c/{found['id']}")
    await expect(other.get_by_test_id("reply-text")).to_be_visible()
    await page.get_by_test_id("reply-text").fill("said once")
    await expect(other.get_by_test_id("reply-text")).to_have_value("said once")
    await page.get_by_test_id("reply-send").click()
    await expect(message(other, "said once", "outbound")).to_have_count(1)
    await expect(other.get_by_test_id("reply-text")).to_have_value("")


async def test_a_window_nobody_touches_asks_to_sign_in_when_its_session_has_ended_elsewhere(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await open_window(page, embedded)
    cookies = {each["name"]: each["value"] for each in await page.context.cookies()}  # type: ignore[typeddict-item]
    async with httpx.AsyncClient(cookies=cookies, trust_env=False) as elsewhere:
        ended = await elsewhere.delete(f"{embedded.url}/api/v1/session", headers={"X-Okno": "1"})
    assert ended.status_code == 204
    await expect(page.get_by_test_id("login-form")).to_be_visible()
    page_errors[:] = [each for each in page_errors if "401" not in each]
