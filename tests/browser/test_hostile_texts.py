"""Hostile texts in every place a client can write to: no script runs, nothing outside is asked, the text is shown."""

import asyncio
import json
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Page, Request, expect

from tests.flows.evidence import gather
from tests.flows.stage import SUPPORT, Stage, corpora, eventually
from tests.flows.window import message, open_window, row

OWN = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '"><iframe srcdoc="<script>parent.alert(1)</script>">',
    "javascript:alert(1)",
    "https://evil.test/<script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "<a href='javascript:alert(1)'>click</a><base href='https://evil.test/'>",
]
FROM_CORPUS = 16
SPIES = """
for (const name of ['alert', 'confirm', 'prompt', 'print', 'open'])
  window[name] = (...args) => { window.__ran = (window.__ran ?? []).concat([[name, String(args[0])]]) }
"""

# As a link in the window does: to load all of it anew for each text takes three times as long.
GO = "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }"


@dataclass
class Watch:
    """What a page did that it must not."""

    host: str
    outside: list[str] = field(default_factory=list)

    def on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self.host:
            self.outside.append(request.url)


def payloads() -> list[str]:
    """Ours, and a sample of published ones spread over the whole list where it is there."""
    file = corpora() / "security" / "dompurify_xss_expect.json"
    if not file.exists():
        return OWN
    published = [str(each["payload"]) for each in json.loads(file.read_text())]
    return OWN + published[:: len(published) // FROM_CORPUS]


async def test_hostile_forms_and_mails_run_nothing_and_ask_nothing_outside(embedded: Stage, page: Page) -> None:
    hostile = payloads()
    marks = await asyncio.to_thread(write_all, embedded, hostile)
    watch = Watch(urlsplit(embedded.url).netloc)
    page.on("request", watch.on_request)
    await page.add_init_script(SPIES)
    await open_window(page, embedded)
    for mark in marks:
        await page.evaluate(GO, f"/c/{mark.conversation_id}")
        await expect(message(page, mark.text)).to_be_visible()
        await expect(page.get_by_test_id("customer-name").first).to_be_visible()
        assert await page.evaluate("window.__ran ?? []") == []
    await page.goto(embedded.url)
    await expect(row(page, "<script>").first).to_be_visible()
    assert await page.evaluate("window.__ran ?? []") == []
    assert watch.outside == []


@dataclass(frozen=True, slots=True)
class Mark:
    text: str
    conversation_id: str


def write_all(stage: Stage, hostile: list[str]) -> list[Mark]:
    """Each text as name, subject, field name, text and file name of a form; every fourth also as a mail with HTML."""
    texts = []
    for number, payload in enumerate(hostile):
        texts.append(f"hostile-form-{number}")
        fields = {"name": payload, "subject": payload, "email": f"h{number}@example.com", payload[:200]: payload}
        files = {"file": (payload.replace("/", "∕")[:100], payload.encode(), "text/html")}
        data = {**fields, "message": f"hostile-form-{number} {payload}"}
        posted = httpx.post(stage.form_url(), data=data, files=files, timeout=20, trust_env=False, verify=False)
        assert posted.status_code == 200, posted.text
        if number % 4 == 0:
            texts.append(f"hostile-mail-{number}")
            stage.deliver(hostile_mail(number, payload))
    found = {}
    wait_for_all(stage, texts)
    for conversation in stage.conversations():
        for entry in stage.messages(conversation["id"]):
            found[entry["text"].split(" ")[0].strip()] = conversation["id"]
    return [Mark(text, found[text]) for text in texts]


def wait_for_all(stage: Stage, texts: list[str]) -> None:
    def all_there() -> bool:
        there = {text.split(" ")[0].strip() for text in gather(stage).inbound}
        return set(texts) <= there

    eventually(all_there, what="the hostile messages")


def hostile_mail(number: int, payload: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    line = " ".join(payload.split())
    mail["From"], mail["To"] = f"m{number}@example.com", SUPPORT
    mail["Subject"], mail["Message-ID"] = line[:300], f"<hostile-{number}@example.com>"
    mail.set_content(f"hostile-mail-{number} {payload}", cte="base64")
    mail.add_alternative(f"<p>{payload}</p><img src='https://evil.test/pixel.gif'>", subtype="html", cte="base64")
    mail.add_attachment(payload.encode(), maintype="text", subtype="html", filename=line[:80])
    return mail.as_bytes()


def test_a_hostile_file_is_downloaded_and_never_opened_as_a_page(embedded: Stage) -> None:
    files = {"file": ("invoice.html", b"<script>document.title = 'ran'; alert(1)</script>", "text/html")}
    data = {"email": "file@example.com", "message": "a hostile file"}
    posted = httpx.post(embedded.form_url(), data=data, files=files, timeout=20, trust_env=False, verify=False)
    assert posted.status_code == 200
    conversation = embedded.conversation_with("a hostile file")
    entry = embedded.messages(conversation["id"])[0]
    for address in (entry["attachments"][0]["url"], entry["raw"]["url"]):
        answer = embedded.api.get(f"{embedded.url}{address}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
