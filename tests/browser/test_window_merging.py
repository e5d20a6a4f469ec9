"""Two clients who may be one, decided by a key each, and taken apart again, in the window of a real Okno."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, Request, Route, expect

from tests.flows.stage import Stage, eventually
from tests.flows.window import open_window, row

NUMBER = "+79161110077"


async def test_a_suggestion_is_accepted_undone_and_refused_by_keys(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    for name, text in (("vera", "the first of two"), ("nika", "the second of two")):
        form = {"email": f"{name}@client.example", "phone": NUMBER, "message": text}
        assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await open_window(page, embedded)
    await row(page, "the first of two").click()
    suggestion = page.get_by_test_id("suggestion")
    await expect(suggestion.get_by_test_id("suggestion-reason")).to_contain_text(NUMBER)
    await page.locator("body").press("y")
    member = page.get_by_test_id("member")
    await expect(member).to_have_count(1)
    await expect(page.get_by_test_id("identity")).to_have_count(2)
    await expect(page.get_by_test_id("timeline-entry").filter(has_text="the second of two")).to_be_visible()
    await expect(page.locator("[data-testid=timeline-entry][data-kind=merged]")).to_be_visible()
    await expect(suggestion).to_have_count(0)
    await member.get_by_test_id("unmerge").click()
    await expect(member).to_have_count(0)
    await expect(page.locator("[data-testid=timeline-entry][data-kind=merged]")).to_have_count(0)
    await expect(page.get_by_test_id("timeline-entry").filter(has_text="of two")).to_have_count(1)
    await expect(suggestion).to_be_visible()
    await page.locator("body").press("x")
    await expect(suggestion).to_have_count(0)
    await asyncio.to_thread(eventually, lambda: embedded.get("/suggestions")["items"] == [], 60, "nothing to ask")


async def test_a_customer_is_merged_with_another_who_is_found_by_keys_among_very_many(
    embedded: Stage, page: Page
) -> None:
    """Whom nothing suggests is found by address, however many came since; nothing is decided on the way there."""
    for name, text in (("zoya", "I wrote from home"), ("zoya.work", "I wrote from work")):
        form = {"email": f"{name}@client.example", "message": text}
        assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await asyncio.to_thread(import_many, embedded, "many")
    await open_window(page, embedded)
    await row(page, "I wrote from work").click()
    await page.get_by_test_id("merge").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("merge-into")).to_have_count(12)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("merge")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.type("zoya@client")
    await expect(page.get_by_test_id("merge-into")).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_test_id("merge-into")).to_be_focused()
    await expect(page.get_by_test_id("member")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("member")).to_contain_text("zoya.work@client.example")
    await expect(page.get_by_test_id("timeline-entry").filter(has_text="I wrote from home")).to_be_visible()


async def test_whom_the_keys_stand_on_is_never_changed_beneath_them_by_an_answer_that_comes_late(
    embedded: Stage, page: Page
) -> None:
    """What was found for words that were typed on since is not shown; who vanishes leaves the keys in the box."""
    for name in ("lida", "lida.work"):
        form = {"email": f"{name}@client.example", "message": f"slowly found: {name}."}
        assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await asyncio.to_thread(import_many, embedded, "more")
    await open_window(page, embedded)
    await row(page, "slowly found: lida.work.").click()
    await page.get_by_test_id("merge").click()
    await expect(page.get_by_test_id("merge-into")).to_have_count(12)
    async with held_answers(page, "l", "lida@client") as answers:
        await page.keyboard.type("lida@client")
        async with page.expect_request(lambda request: asked(request) == "lida@client"):
            answers["l"].set()
        assert await page.get_by_test_id("merge-into").count() == 12
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_test_id("merge-into").nth(1)).to_be_focused()
        answers["lida@client"].set()
        await expect(page.get_by_test_id("merge-into")).to_have_count(1)
        await expect(page.get_by_test_id("merge-find")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("member")).to_have_count(0)


@asynccontextmanager
async def held_answers(page: Page, *words: str) -> AsyncIterator[dict[str, asyncio.Event]]:
    """Hold back what is found for each of these words until its event is set."""
    answers = {word: asyncio.Event() for word in words}

    async def later(route: Route) -> None:
        if held := answers.get(asked(route.request)):
            await held.wait()
        await route.continue_()

    await page.route("**/api/v1/customers?q=*", later)
    try:
        yield answers
    finally:
        for held in answers.values():
            held.set()
        await page.unroute_all(behavior="wait")


def asked(request: Request) -> str:
    """The words whose customers are asked for."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query)).get("q", "")


def import_many(stage: Stage, name: str) -> None:
    rows = "".join(f"{name}{number}@client.example\r\n" for number in range(220))
    stage.api.post("/customers/import?dry_run=false", content=f"email\r\n{rows}".encode()).raise_for_status()
