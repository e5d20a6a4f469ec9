"""Several tabs of one browser have one session: where it ends, all of them ask to sign in."""

from playwright.async_api import Page, expect

from tests.browser.test_cards import a_client, field
from tests.flows.stage import Stage
from tests.flows.window import give_session, open_window


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
