"""A customer's card in the window at a past moment: as it stood, and nothing to change it by."""

from datetime import UTC, datetime

from playwright.async_api import Page, expect

from tests.browser.test_cards import a_client, api, field
from tests.flows.stage import Stage


async def test_the_card_of_a_past_moment_is_shown_as_it_stood_and_cannot_be_changed(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await a_client(embedded, page, "what did you know of me?")
    customer = await page.get_by_test_id("customer").get_attribute("data-id")
    path = f"/customers/{customer}/card"
    await api(page, "PATCH", path, {"changes": [{"field": "organisation", "after": "Then"}]})
    then = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await api(page, "PATCH", path, {"changes": [{"field": "organisation", "after": "Now"}]})
    shown = field(page, "organisation").get_by_test_id("card-value")
    await page.goto(f"{embedded.url}/customers/{customer}")
    await expect(shown).to_have_text("Now")
    await page.goto(f"{embedded.url}/customers/{customer}?as_of={then}")
    await expect(page.get_by_test_id("past-banner")).to_be_visible()
    await expect(shown).to_have_text("Then")
    await shown.click()
    await expect(page.get_by_test_id("card-input")).to_have_count(0)
    for test_id in ("card-history", "card-vcf", "card-more", "consent-add"):
        await expect(page.get_by_test_id(test_id)).to_have_count(0)
    assert page_errors == []
