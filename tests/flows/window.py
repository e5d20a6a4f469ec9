"""The operator's window in Chromium, by its test ids."""

import httpx
from playwright.async_api import Locator, Page, expect

from tests.flows.stage import OPERATOR, PASSWORD, Stage


async def open_window(page: Page, stage: Stage, path: str = "/") -> None:
    """Sign in as the operator and wait until the window is live."""
    await give_session(page, stage.url)
    await page.goto(stage.url + path)
    await expect_live(page)


async def give_session(page: Page, url: str) -> None:
    async with httpx.AsyncClient(timeout=30, trust_env=False, verify=False) as client:
        answer = await client.post(f"{url}/api/v1/session", json={"email": OPERATOR, "password": PASSWORD})
    token = answer.raise_for_status().cookies["okno_session"]
    await page.context.add_cookies([{"name": "okno_session", "value": token, "url": url}])


async def expect_live(page: Page, timeout_seconds: float = 60) -> None:
    await expect(page.locator("[data-testid=live-badge][data-state=live]")).to_be_visible(timeout=timeout_seconds * 1e3)


def row(page: Page, text: str) -> Locator:
    """A row of the list of conversations."""
    return page.get_by_test_id("conversation-row").filter(has_text=text)


def message(page: Page, text: str, direction: str = "inbound") -> Locator:
    """A message of the open conversation."""
    return page.locator(f"[data-testid=message][data-direction={direction}]").filter(has_text=text)


async def answer(page: Page, text: str) -> None:
    """Type into the reply box of the open conversation and send."""
    await page.get_by_test_id("reply-text").fill(text)
    await page.get_by_test_id("reply-send").click()


async def expect_delivery(page: Page, text: str, state: str, timeout_seconds: float = 60) -> None:
    shown = page.locator(f"[data-testid=message][data-direction=outbound][data-delivery={state}]").filter(has_text=text)
    await expect(shown).to_be_visible(timeout=timeout_seconds * 1e3)
