"""A list of very many conversations, of which the operator looks at some far down: they stay where they are."""

import asyncio
import json
import urllib.parse
from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page, Route, expect

from tests.flows.stage import Stage, eventually
from tests.flows.window import open_window

ROW_PIXELS = 86
FAR_DOWN = 600


async def test_a_list_read_anew_leaves_the_operator_at_the_rows_they_look_at(embedded: Stage, page: Page) -> None:
    for name in ("far", "near"):
        form = {"email": f"{name}@client.example", "phone": "+79161110099", "message": f"{name} of the long list"}
        assert (await asyncio.to_thread(embedded.post_form, form)).status_code == 200
    await asyncio.to_thread(eventually, lambda: embedded.get("/suggestions")["items"], 60, "a suggestion")
    example = await asyncio.to_thread(embedded.conversation_with, "far of the long list")
    example |= {"status": "open", "customer_id": str(uuid4())}
    rows = [example | {"id": f"c{number}", "position": number} for number in range(900, 0, -1)]
    await serve(page, rows)
    await open_window(page, embedded)
    scroller = page.get_by_test_id("conversation-list")
    await down_to(scroller, FAR_DOWN * ROW_PIXELS)
    before = await numbered(page, 300).bounding_box()
    rows[:] = [each for each in rows if each["position"] % 7 != 3 or each["position"] < 280]
    suggestion = embedded.get("/suggestions")["items"][0]["id"]
    await asyncio.to_thread(embedded.api.post, f"/suggestions/{suggestion}/accept", json={})
    await expect(numbered(page, 297)).to_have_count(0)
    assert await numbered(page, 300).bounding_box() == before


async def serve(page: Page, rows: list[dict[str, Any]]) -> None:
    """Let the list have these rows, the newest first."""

    async def answer(route: Route) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(route.request.url).query))
        below = [each for each in rows if each["position"] < int(query.get("cursor", 10**9))]
        items = below[: int(query.get("limit", 50))]
        following = str(items[-1]["position"]) if len(items) < len(below) else None
        await route.fulfill(content_type="application/json", body=json.dumps({"items": items, "next": following}))

    await page.route("**/api/v1/conversations?status=open*", answer)


async def down_to(scroller: Locator, pixels: int) -> None:
    """Scroll there, through as many pages as that takes."""
    while await scroller.evaluate("it => it.scrollTop") < pixels:
        await scroller.evaluate("(it, to) => it.scrollTo(0, to)", pixels)
        await scroller.page.wait_for_timeout(50)


def numbered(page: Page, number: int) -> Locator:
    return page.locator(f"[data-testid=conversation-row][data-id=c{number}]")
