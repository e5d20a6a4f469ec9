"""Debian's Chromium driven by Playwright's asynchronous interface. It finds no host but this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright, expect

from tests.peers.programs import CHROMIUM

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


PATIENCE_SECONDS = 30
"""How long `expect` waits unless told: a page that takes one second here takes ten on a machine that others share."""
expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM.path(), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


def collect_errors(page: Page, errors: list[str]) -> None:
    """Note every uncaught error and every console message of the level error."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def on_page_error(error: Error) -> None:
        errors.append(f"uncaught: {error}")

    page.on("console", on_console)
    page.on("pageerror", on_page_error)


async def leave(page: Page, errors: list[str]) -> None:
    """Leave a page that was refused something on purpose: the browser may tell of it after the page has shown it."""
    await page.goto("about:blank")
    errors.clear()
