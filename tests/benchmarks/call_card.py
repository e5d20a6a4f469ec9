"""From the provider's webhook to the painted call card in a real Chromium, beside the same news on a bare stream.

The card has the customer and the last messages; each call is of another known client. The limit of the same run is
when a plain reader of the live stream has heard of the call: the webhook kept, decided, shown in the read models.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import httpx
import uvloop
from playwright.async_api import Page

from tests.benchmarks.embedded import Running, _okno, okno_up
from tests.benchmarks.load import percentile, watch
from tests.benchmarks.table import Figure
from tests.browser.line import secret, signed
from tests.peers.browser import running_browser

CALLS, MESSAGES = 30, 3
PAUSE_SECONDS = 0.3
PASSWORD = "correct horse battery"
WATCH = """
window.painted = {}
const look = () => {
  for (const card of document.querySelectorAll('[data-testid=call-card]')) {
    const number = card.querySelector('.number').textContent.split(' ')[0]
    if (number in window.painted || !card.querySelector('[data-testid=call-before]')) continue
    window.painted[number] = null
    requestAnimationFrame(() => requestAnimationFrame(() => {
      window.painted[number] = performance.timeOrigin + performance.now()
    }))
  }
}
new MutationObserver(look).observe(document.body, { childList: true, subtree: true })
"""
"""Two frames after the card stands in the document it has been painted."""


def figures() -> Iterator[Figure]:
    with okno_up() as okno, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        painted, heard, answered = runner.run(_measured(okno))
    print(
        f"webhook answered after {percentile(answered, 0.5):.0f} ms (p95 {percentile(answered, 0.95):.0f}), heard of on"
        f" the stream after {percentile(heard, 0.5):.0f} ms (p95 {percentile(heard, 0.95):.0f}, most {max(heard):.0f})",
        file=sys.stderr,
    )
    for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
        value, limit = percentile(painted, share), percentile(heard, share)
        title = f"call card: {name} of {CALLS} from the webhook to painted"
        yield Figure(title, value, "ms", 300, False, limit, "heard on a bare stream")


async def _measured(okno: Running) -> tuple[list[float], list[float], list[float]]:
    """Return in milliseconds from each webhook: until painted, until heard of, until answered."""
    url, address = _line(okno), f"http://{okno.host}:{okno.port}"
    heard_at: dict[str, float] = {}
    ready = asyncio.Event()
    watching = asyncio.create_task(watch((okno.host, okno.port), okno.token, heard_at.setdefault, ready))
    async with httpx.AsyncClient(trust_env=False, verify=False) as client, running_browser() as browser:
        await ready.wait()
        numbers = [f"+7916222{n:04d}" for n in range(CALLS)]
        await _write(client, okno, numbers)
        page = await (await browser.new_context(locale="en-US")).new_page()
        await _sign_in(client, okno, page, address)
        await page.wait_for_timeout(1000)
        await page.evaluate(WATCH)
        found = [await _call(client, page, url, number, heard_at) for number in numbers]
    watching.cancel()
    painted, heard, answered = (list(each) for each in zip(*found, strict=True))
    return painted, heard, answered


async def _call(
    client: httpx.AsyncClient, page: Page, url: str, number: str, heard_at: dict[str, float]
) -> tuple[float, float, float]:
    data = {"call_id": f"c{number}", "from": number, "to": "+74951234567", "direction": "inbound"}
    body = json.dumps({"type": "call.ringing", "data": data}).encode()
    known = set(heard_at)
    began_at, began = 1000 * time.time(), time.perf_counter()
    (await client.post(url, content=body, headers=signed(body))).raise_for_status()
    answered = time.perf_counter() - began
    handle = await page.wait_for_function("(number) => window.painted[number]", arg=number, timeout=20_000)
    painted = float(await handle.json_value()) - began_at
    heard = min(at for id_, at in heard_at.items() if id_ not in known) - began
    for button in await page.locator("[data-testid=call-card] button.icon").all():
        await button.click()
    await asyncio.sleep(PAUSE_SECONDS)
    return painted, 1000 * heard, 1000 * answered


async def _write(client: httpx.AsyncClient, okno: Running, numbers: list[str]) -> None:
    """Each client has written before."""
    for number in numbers:
        for n in range(MESSAGES):
            fields = {"phone": number, "message": f"message {n} of {number}"}
            answer = await client.post(f"http://{okno.host}:{okno.port}/in/forms/{okno.form}", data=fields)
            answer.raise_for_status()
    await asyncio.sleep(2)


async def _sign_in(client: httpx.AsyncClient, okno: Running, page: Page, address: str) -> None:
    folder = str(okno.database.parent)
    added = json.loads(_okno(folder, "operators", "add", "olga@example.com", "--json"))
    body = {"token": added["setup"].partition("token=")[2], "email": "olga@example.com", "password": PASSWORD}
    answer = (await client.post(f"{address}/api/v1/setup", json=body)).raise_for_status()
    cookie = {"name": "okno_session", "value": answer.cookies["okno_session"], "url": address}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]
    await page.goto(address)
    await page.locator("[data-testid=live-badge][data-state=live]").wait_for()


def _line(okno: Running) -> str:
    settings = ["--set", "provider=generic", "--set", "country=RU", "--set", f"secret={secret()}"]
    added = _okno(str(okno.database.parent), "channels", "add", "telephony", "Phone", *settings, "--json")
    return f"http://{okno.host}:{okno.port}/in/telephony/{json.loads(added)['id']}"
