"""The customer's card in the window: changed where it stands, by two people at once, and by a file."""

import asyncio
import re
from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page, Route, expect

from tests.flows.stage import Stage
from tests.flows.window import message, open_window, row


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[data-testid=card-field][data-field='{name}']")


async def a_client(stage: Stage, page: Page, text: str) -> str:
    """Have a client write, open the conversation; return their address."""
    address = f"{uuid4().hex[:12]}@example.com"
    form = {"name": "Client", "email": address, "message": text}
    assert (await asyncio.to_thread(stage.post_form, form)).status_code == 200
    await open_window(page, stage)
    await row(page, text).click()
    await expect(message(page, text)).to_be_visible()
    return address


async def api(page: Page, method: str, path: str, body: Any = None) -> Any:
    """Ask as another program of the same operator would."""
    script = """async ([method, path, body]) => {
        const headers = {'X-Okno': '1', 'Content-Type': 'application/json'}
        const answer = await fetch('/api/v1' + path, {method, headers, body: body && JSON.stringify(body)})
        return answer.status === 204 ? null : await answer.json()
    }"""
    return await page.evaluate(script, [method, path, body])


async def test_a_field_is_changed_by_keyboard_and_its_history_shown(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await a_client(embedded, page, "change my card")
    await page.get_by_test_id("card-more").click()
    await field(page, "segment").get_by_test_id("card-value").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("card-input")).to_be_focused()
    await page.keyboard.type("B2B")
    await page.keyboard.press("Enter")
    await expect(field(page, "segment").get_by_test_id("card-value")).to_have_text("B2B")
    await expect(field(page, "segment").get_by_test_id("card-value")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("card-input")).to_be_focused()
    await page.keyboard.type("not this")
    await page.keyboard.press("Escape")
    await expect(field(page, "segment").get_by_test_id("card-value")).to_have_text("B2B")
    await field(page, "segment").get_by_test_id("card-history").click()
    await expect(page.get_by_test_id("card-changes").locator("li")).to_contain_text("empty → B2B")
    await expect(page.locator("[data-testid=timeline-entry][data-kind=card]")).to_contain_text("Segment: B2B")
    assert page_errors == []


async def test_the_history_of_a_field_goes_back_to_its_beginning(embedded: Stage, page: Page) -> None:
    await a_client(embedded, page, "changed again and again")
    customer = await page.get_by_test_id("customer").get_attribute("data-id")
    for number in range(23):
        change = {"field": "segment", "after": f"segment {number}"}
        await api(page, "PATCH", f"/customers/{customer}/card", {"changes": [change]})
    await page.get_by_test_id("card-more").click()
    await field(page, "segment").get_by_test_id("card-history").click()
    shown = page.get_by_test_id("card-changes").locator("li", has_text="→")
    await expect(shown).to_have_count(20)
    await page.get_by_test_id("card-changes-earlier").click()
    await expect(shown).to_have_count(23)
    await expect(shown.last).to_contain_text("empty → segment 0")
    await expect(page.get_by_test_id("card-changes-earlier")).to_have_count(0)


async def test_who_is_overtaken_sees_both_values_and_chooses(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await a_client(embedded, page, "two people at my card")
    customer = await page.get_by_test_id("customer").get_attribute("data-id")
    await page.get_by_test_id("card-more").click()
    await field(page, "organisation").get_by_test_id("card-value").click()
    changes = {"changes": [{"field": "organisation", "before": None, "after": "Theirs"}]}
    await api(page, "PATCH", f"/customers/{customer}/card", changes)
    await page.get_by_test_id("card-input").fill("Mine")
    await page.get_by_test_id("card-save").click()
    await expect(page.get_by_test_id("card-overtaken")).to_contain_text("Theirs")
    await expect(page.get_by_test_id("card-input")).to_have_value("Mine")
    await page.get_by_role("button", name="Write mine").click()
    await expect(field(page, "organisation").get_by_test_id("card-value")).to_have_text("Mine")
    page_errors[:] = [each for each in page_errors if "409" not in each]  # the browser itself tells of it


async def test_an_admin_defines_a_field_and_every_card_has_it(embedded: Stage, page: Page) -> None:
    await open_window(page, embedded)
    await page.get_by_test_id("nav-import").click()
    await page.get_by_role("link", name="Own fields").click()
    await page.get_by_test_id("own-field-label").fill("Размер")
    await page.get_by_test_id("own-field-key").fill("size")
    await page.get_by_test_id("own-field-type").select_option("choice")
    await page.get_by_test_id("own-field-choices").fill("S, M")
    await page.get_by_test_id("own-field-save").click()
    await expect(page.get_by_test_id("own-field").filter(has_text="Размер")).to_contain_text("S, M")
    await a_client(embedded, page, "what size am I")
    await page.get_by_test_id("card-more").click()
    await field(page, "own.size").get_by_test_id("card-value").click()
    await page.get_by_test_id("card-input").select_option("M")
    await page.get_by_test_id("card-save").click()
    await expect(field(page, "own.size").get_by_test_id("card-value")).to_have_text("M")


async def test_a_file_is_looked_at_tried_imported_and_undone(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    known = await a_client(embedded, page, "I am in your file")
    data = f"Имя;Адрес почты;Метки\r\nКлиент из файла;{known};vip\r\nНовый;new-{known};\r\nБез адреса;;\r\n"
    await page.get_by_test_id("nav-import").click()
    file = {"name": "клиенты.csv", "mimeType": "text/csv", "buffer": data.encode("windows-1251")}
    await page.get_by_test_id("import-file").set_input_files(files=[file])  # type: ignore[list-item]
    await expect(page.get_by_test_id("import-shape")).to_contain_text("windows-1251")
    await page.get_by_test_id("import-map").nth(1).select_option("email")
    await expect(page.get_by_test_id("import-run")).to_be_disabled()
    await page.get_by_test_id("import-dry").click()
    rows = page.get_by_test_id("import-row")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text("Name: Client → Клиент из файла; Tags: vip")
    await expect(rows.nth(2)).to_have_attribute("data-state", "wrong")
    await page.get_by_test_id("import-run").click()
    done = page.get_by_test_id("import").filter(has_text="клиенты.csv")
    await expect(done).to_have_attribute("data-state", "finished")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await done.get_by_test_id("import-undo").click()
    await expect(done).to_have_attribute("data-state", "undone")
    await page.get_by_test_id("nav-inbox").click()
    await row(page, "I am in your file").click()
    await expect(page.get_by_test_id("customer-name")).to_have_text("Client")
    assert page_errors == []


async def in_russian(page: Page) -> None:
    await page.evaluate("localStorage.setItem('okno.language', 'ru')")
    await page.reload()


async def test_what_a_card_refuses_and_what_its_history_says_is_said_in_words(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    """By the label of the field and in the operator's language; operators by their names, not by their ids."""
    await a_client(embedded, page, "say it in words")
    await in_russian(page)
    await page.get_by_test_id("card-more").click()
    await field(page, "birthday").get_by_test_id("card-value").click()
    await page.get_by_test_id("card-input").fill("32.12.")
    await page.get_by_test_id("card-save").click()
    await expect(page.get_by_test_id("notice")).to_have_text("День рождения: такого дня нет")
    await page.get_by_test_id("card-input").press("Escape")
    await field(page, "operator").get_by_test_id("card-value").click()
    await page.get_by_test_id("card-input").select_option("Ольга")
    await page.get_by_test_id("card-save").click()
    await field(page, "operator").get_by_test_id("card-history").click()
    await expect(page.get_by_test_id("card-changes").locator("li")).to_contain_text("пусто → Ольга")
    told = page.locator("[data-testid=timeline-entry][data-kind=card]")
    await expect(told).to_contain_text("Ответственный: Ольга")
    page_errors[:] = [each for each in page_errors if "422" not in each]  # the browser itself tells of it


async def test_a_dry_run_says_what_is_wrong_in_the_language_of_the_window(embedded: Stage, page: Page) -> None:
    one, other = [await a_client(embedded, page, f"one of two in a row {number}") for number in range(2)]
    wrong, two, new = "Пётр;нет;;30.02.1990", f"Двое;{one};{other};", f"Новый;n-{one};;01.02.1990"
    data = "\r\n".join(("Имя;Почта;Почта 2;Дата рождения", wrong, two, new))
    await in_russian(page)
    await page.get_by_test_id("nav-import").click()
    file = {"name": "клиенты.csv", "mimeType": "text/csv", "buffer": data.encode("windows-1251")}
    await page.get_by_test_id("import-file").set_input_files(files=[file])  # type: ignore[list-item]
    await page.get_by_test_id("import-dry").click()
    rows = page.get_by_test_id("import-row")
    await expect(rows.nth(0)).to_contain_text("Почта: «нет» — не адрес почты; Дата рождения: такого дня нет")
    await expect(rows.nth(1)).to_contain_text(re.compile(rf"строка подходит нескольким клиентам: {one}; {other}$"))
    await expect(rows.nth(2)).to_contain_text("День рождения: 1 февраля 1990 г.")


async def test_an_undone_import_names_each_customer_it_left(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    """A file of addresses alone: whom we met since stays, and can be opened from there."""
    new = [f"{uuid4().hex[:12]}@example.com" for _ in range(2)]
    await open_window(page, embedded)
    await page.get_by_test_id("nav-import").click()
    file = {"name": f"{new[0]}.csv", "mimeType": "text/csv", "buffer": "\r\n".join(("email", *new)).encode()}
    await page.get_by_test_id("import-file").set_input_files(files=[file])  # type: ignore[list-item]
    await page.get_by_test_id("import-dry").click()
    await page.get_by_test_id("import-run").click()
    done = page.get_by_test_id("import").filter(has_text=new[0])
    await expect(done).to_have_attribute("data-state", "finished")
    for address in new:
        await asyncio.to_thread(embedded.post_form, {"email": address, "message": f"met {address}"})
        await asyncio.to_thread(embedded.conversation_with, f"met {address}")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/undo", hold)
    await done.get_by_test_id("import-undo").click()
    await expect(page.get_by_test_id("import-undoing")).to_be_visible()
    await expect(done.get_by_test_id("import-undo")).to_be_disabled()
    held.set()
    left = page.get_by_test_id("import-left")
    await expect(left).to_have_count(2)
    await expect(page.get_by_test_id("import-undoing")).to_have_count(0)
    await left.nth(0).get_by_role("link").click()
    await expect(page.get_by_test_id("identity")).to_have_text(re.compile("|".join(new)))
