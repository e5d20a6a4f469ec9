"""To whom an answer by mail goes is what stands there, whatever comes in meanwhile; on a telephone too."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.flows.mails import answer_to, first_mail, parsed
from tests.flows.stage import SUPPORT, Stage
from tests.flows.window import message, open_window, row


async def a_mail(stage: Stage, page: Page) -> bytes:
    tag = uuid4().hex[:8]
    raw = first_mail(f"{tag}@client.example", SUPPORT, tag, f"mail {tag}", f"<{tag}@client.example>")
    await asyncio.to_thread(stage.deliver, raw)
    await open_window(page, stage)
    await row(page, f"mail {tag}").click()
    await page.get_by_test_id("recipients").click()
    return raw


def please_answer_to(raw: bytes, address: str) -> bytes:
    """The client's next mail in the thread, to be answered to another address."""
    mail: EmailMessage = parsed(
        answer_to(raw, str(parsed(raw)["From"]), "to another, please", f"<{uuid4()}@c.example>")
    )
    del mail["To"]
    mail["To"], mail["Reply-To"] = SUPPORT, address
    return mail.as_bytes(policy=SMTP)


async def test_recipients_that_nobody_changed_follow_the_client_also_while_they_are_shown(
    embedded: Stage, page: Page
) -> None:
    raw = await a_mail(embedded, page)
    field = page.get_by_test_id("reply-to-field")
    await expect(field).to_have_value(str(parsed(raw)["From"]))
    await asyncio.to_thread(embedded.deliver, please_answer_to(raw, "lawyer@client.example"))
    await expect(message(page, "to another, please")).to_be_visible()
    await expect(page.get_by_test_id("reply-to")).to_contain_text("lawyer@client.example")
    await expect(field).to_have_value("lawyer@client.example")


async def test_recipients_that_were_changed_stay_whatever_the_client_writes(embedded: Stage, page: Page) -> None:
    raw = await a_mail(embedded, page)
    field = page.get_by_test_id("reply-to-field")
    await field.fill("boss@client.example")
    await asyncio.to_thread(embedded.deliver, please_answer_to(raw, "lawyer@client.example"))
    await expect(message(page, "to another, please")).to_be_visible()
    await expect(field).to_have_value("boss@client.example")
    await expect(page.get_by_test_id("reply-to")).to_contain_text("boss@client.example")


async def test_a_wrong_address_is_in_sight_as_long_as_it_holds_the_answer_back(embedded: Stage, page: Page) -> None:
    await a_mail(embedded, page)
    await page.get_by_test_id("reply-text").fill("words")
    await page.get_by_test_id("reply-cc-field").fill("nonsense")
    await expect(page.get_by_test_id("reply-send")).to_be_disabled()
    await page.get_by_test_id("recipients").click()
    await expect(page.get_by_test_id("wrong-address")).to_be_visible()
    await page.get_by_test_id("note-tab").click()
    await page.get_by_test_id("reply-tab").click()
    await expect(page.get_by_test_id("wrong-address")).to_have_count(0)
    await expect(page.get_by_test_id("reply-send")).to_be_enabled()


async def test_on_a_telephone_the_recipients_are_changed_from_the_line_of_the_tabs(embedded: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await a_mail(embedded, page)
    tab = await page.get_by_test_id("reply-tab").bounding_box()
    pencil = await page.get_by_test_id("recipients").bounding_box()
    assert tab is not None
    assert pencil is not None
    assert tab["y"] <= pencil["y"] + pencil["height"] / 2 <= tab["y"] + tab["height"]
