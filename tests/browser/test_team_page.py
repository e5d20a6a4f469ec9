"""An admin looks after the team in the window: invites, locks, and finds what who has left was working on."""

import asyncio
from uuid import uuid4

import httpx
from playwright.async_api import Browser, Dialog, Locator, Page, expect

from tests.browser.test_window import write
from tests.flows.stage import OPERATOR, PASSWORD, Stage, eventually
from tests.flows.window import expect_live, give_session, row
from tests.peers.browser import leave

SECONDS = 30_000


def member(page: Page, email: str) -> Locator:
    return page.get_by_test_id("member-of-team").filter(has_text=email)


async def test_a_colleague_is_invited_works_is_locked_and_what_they_had_is_found(
    embedded: Stage, page: Page, browser: Browser, page_errors: list[str]
) -> None:
    email, subject = f"ann-{uuid4().hex[:6]}@okno.example", f"for Ann {uuid4().hex[:6]}"
    await asyncio.to_thread(write, embedded, subject)
    await give_session(page, embedded.url)
    await page.goto(embedded.url)
    await page.get_by_test_id("nav-team").click()
    me = member(page, OPERATOR)
    await expect(me.get_by_test_id("team-role")).to_be_disabled()
    await expect(me.get_by_test_id("team-lock")).to_have_count(0)
    await page.get_by_test_id("team-email").fill(email)
    await page.get_by_test_id("team-name").fill("Ann")
    await page.get_by_test_id("team-invite").click()
    link = await page.get_by_test_id("team-link-url").input_value(timeout=SECONDS)
    ann = member(page, email)
    await expect(ann).to_have_attribute("data-access", "invited")

    hers = await (await browser.new_context()).new_page()
    await hers.goto(link)
    await hers.get_by_test_id("setup-name").fill("Ann")
    await hers.get_by_test_id("setup-email").fill(email)
    await hers.get_by_test_id("setup-password").fill(PASSWORD)
    await hers.get_by_test_id("setup-submit").click()
    await expect_live(hers)
    await expect(hers.get_by_test_id("nav-team")).to_have_count(0)
    await row(hers, subject).click(timeout=SECONDS)
    await hers.get_by_test_id("assign").click()
    await hers.get_by_test_id("assign-me").click()
    await expect(hers.get_by_test_id("assignee")).to_have_text("Ann")

    conversation = await asyncio.to_thread(embedded.conversation_with, subject)
    step = {"customer_id": conversation["customer_id"], "what": "ring them", "due_at": "2027-01-01T09:00:00Z"}
    step["operator_id"] = str(await ann.get_attribute("data-id"))
    await asyncio.to_thread(lambda: embedded.api.post("/steps", json=step).raise_for_status())

    await page.reload()
    await expect(ann).to_have_attribute("data-access", "active")
    await expect(ann).to_contain_text("signed in")
    page.on("dialog", lambda dialog: dialog.accept())
    await ann.get_by_test_id("team-lock").click()
    await expect(ann).to_have_attribute("data-access", "locked")
    await hers.reload()
    await expect(hers.get_by_test_id("login-form")).to_be_visible()

    await ann.get_by_test_id("team-assigned").click()
    theirs = ann.get_by_test_id("conversation-row")
    await expect(theirs).to_contain_text(subject)
    await expect(theirs.locator("[data-gone=true]")).to_contain_text("Ann has no access any more")
    await expect(ann.get_by_test_id("assigned-step")).to_contain_text("ring them")
    await theirs.click()
    await expect(page.get_by_test_id("assignee-gone")).to_have_text("Ann has no access any more")
    await page.get_by_test_id("assign").click()
    await expect(page.get_by_test_id("assign-panel")).not_to_contain_text(email)
    await page.get_by_test_id("assign-me").click()
    await expect(page.get_by_test_id("assignee-gone")).to_have_count(0)
    planned = page.get_by_test_id("customer-steps").get_by_test_id("step")
    await expect(planned.locator("[data-gone=true]")).to_have_text("Ann")
    await planned.get_by_test_id("step-done").click()
    await hers.context.close()
    assert page_errors == []


async def test_a_role_is_changed_in_the_window_and_a_refusal_is_in_its_language(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    email = f"ben-{uuid4().hex[:6]}@okno.example"
    await asyncio.to_thread(embedded.okno_json, "operators", "add", email, "--name", "Ben")
    await give_session(page, embedded.url)
    await page.goto(f"{embedded.url}/team")
    ben = member(page, email)
    await ben.get_by_test_id("team-role").select_option("analyst")
    await asyncio.to_thread(eventually, lambda: roles(embedded)[email] == "analyst", 30, "the new role")
    await page.get_by_test_id("language").click()
    await page.get_by_test_id("team-email").fill(email)
    await page.get_by_test_id("team-invite").click()
    await expect(page.get_by_text(f"Сотрудник с адресом {email} уже есть")).to_be_visible()
    await expect(ben).to_contain_text("Приглашён(а)")
    await leave(page, page_errors)  # the browser counts the refusal as one


async def test_one_key_makes_nobody_an_admin_and_a_new_link_is_seen(embedded: Stage, page: Page) -> None:
    name = f"kim-{uuid4().hex[:6]}"
    for each in (*(f"{name}-{number}" for number in range(8)), name):
        await asyncio.to_thread(embedded.okno_json, "operators", "add", f"{each}@okno.example")
    await page.set_viewport_size({"width": 390, "height": 844})
    await give_session(page, embedded.url)
    await page.goto(f"{embedded.url}/team")
    kim, asked = member(page, f"{name}@okno.example"), list[str]()

    async def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", refuse)
    await kim.get_by_test_id("team-role").focus()
    await page.keyboard.press("ArrowUp")
    await expect(kim.get_by_test_id("team-role")).to_have_value("operator")
    role = (await asyncio.to_thread(roles, embedded))[f"{name}@okno.example"]
    assert (len(asked), role) == (1, "operator")
    await kim.get_by_test_id("team-link").click()
    await expect(page.get_by_test_id("team-link-url")).to_be_in_viewport()
    await expect(page.get_by_test_id("team-link-url")).to_be_focused()


def roles(stage: Stage) -> dict[str, str]:
    with httpx.Client(trust_env=False, verify=False, timeout=30) as client:
        client.post(f"{stage.url}/api/v1/session", json={"email": OPERATOR, "password": PASSWORD})
        items = client.get(f"{stage.url}/api/v1/operators").json()["items"]
    return {each["email"]: each["role"] for each in items}
