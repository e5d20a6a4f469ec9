"""The main job from end to end, step by step as a client and an operator live it."""

import asyncio
import json
import time

import pytest
from playwright.async_api import Page, expect

from tests.flows.evidence import assert_everything
from tests.flows.mails import answer_to, first_mail, parsed, text_of
from tests.flows.stage import SUPPORT, Stage
from tests.flows.window import answer, expect_delivery, message, open_window, row
from tests.peers.smtp import Received

FORM_TEXT, MAIL_TEXT, THIRD_TEXT = "story: сколько стоит доставка?", "story: no parcel yet.", "story: number 17."
FORM_ANSWER, MAIL_ANSWER = "story: доставка бесплатная.", "story: do you have the parcel's number?"
CLIENT, FORM_CLIENT, CLIENTS_ID = "client@example.com", "vera@example.com", "<first@mail.example.com>"
SECONDS = 1.0


@pytest.mark.alone
async def test_a_form_and_a_mail_are_answered_in_the_window_and_the_third_message_joins(
    stage: Stage, page: Page
) -> None:
    await open_window(page, stage)
    await both_stand_in_the_open_window_within_a_second(stage, page)
    before_answers = stage.conversation_with(MAIL_TEXT)["last_message"]["occurred_at"]
    both_are_on_their_own_customers_timeline(stage)
    await the_operator_answers(page, FORM_TEXT, FORM_ANSWER)
    await the_operator_answers(page, MAIL_TEXT, MAIL_ANSWER)
    to_form, to_mail = await the_mails(stage)
    the_form_client_has_a_mail_from_the_forms_mailbox(to_form)
    the_mail_client_has_a_mail_that_threads(to_mail)
    timeline_shows_queued_then_sent(stage)
    await a_third_message_joins_the_first_conversation(stage, page, to_mail)
    timeline_shows_the_past(stage, before_answers)
    assert_everything(
        stage,
        confirmed=[FORM_TEXT, MAIL_TEXT, THIRD_TEXT],
        replies=[FORM_ANSWER, MAIL_ANSWER],
        of="story",
        within_seconds=20,
    )
    links_of_commands_lead_here(stage)
    rebuild_shows_its_progress_and_finds_all_equal(stage)


async def both_stand_in_the_open_window_within_a_second(stage: Stage, page: Page) -> None:
    begun = time.monotonic()
    posted = await asyncio.to_thread(
        stage.post_form, {"name": "Вера Павлова", "email": FORM_CLIENT, "message": FORM_TEXT}
    )
    assert posted.status_code == 200
    await row(page, FORM_TEXT).wait_for(timeout=10_000)
    form_seconds, begun = time.monotonic() - begun, time.monotonic()
    stage.deliver(first_mail(CLIENT, SUPPORT, "Parcel", MAIL_TEXT, CLIENTS_ID, "Carl Client"))
    await row(page, MAIL_TEXT).wait_for(timeout=10_000)
    mail_seconds = time.monotonic() - begun
    assert (form_seconds < SECONDS, mail_seconds < SECONDS) == (True, True), (form_seconds, mail_seconds)


def both_are_on_their_own_customers_timeline(stage: Stage) -> None:
    timelines = {
        customer["identities"][0]["address"]: [
            (entry["kind"], entry["text"])
            for entry in stage.all(f"/customers/{customer['id']}/timeline")
            if entry["direction"] == "inbound"
        ]
        for customer in stage.all("/customers")
        if customer["identities"][0]["address"] in (FORM_CLIENT, CLIENT)
    }
    assert timelines == {FORM_CLIENT: [("form", FORM_TEXT)], CLIENT: [("text", MAIL_TEXT)]}


async def the_operator_answers(page: Page, question: str, text: str) -> None:
    await row(page, question).click()
    await expect(message(page, question)).to_be_visible()
    await answer(page, text)
    await expect_delivery(page, text, "sent")


async def the_mails(stage: Stage) -> tuple[Received, Received]:
    await stage.smtp.received(2)
    [to_form] = [mail for mail in stage.smtp.mails if mail.recipients == (FORM_CLIENT,)]
    [to_mail] = [mail for mail in stage.smtp.mails if mail.recipients == (CLIENT,)]
    return to_form, to_mail


def the_form_client_has_a_mail_from_the_forms_mailbox(mail: Received) -> None:
    read = parsed(mail.raw)
    assert (mail.sender, read["To"], read["From"].addresses[0].addr_spec) == (SUPPORT, FORM_CLIENT, SUPPORT)
    assert text_of(mail.raw).startswith(FORM_ANSWER)


def the_mail_client_has_a_mail_that_threads(mail: Received) -> None:
    read = parsed(mail.raw)
    assert (read["In-Reply-To"], read["References"], read["Subject"]) == (CLIENTS_ID, CLIENTS_ID, "Re: Parcel")
    assert str(read["Message-ID"]).startswith("<")
    assert str(read["Message-ID"]).endswith("@okno.test>")
    assert (read["To"], read["From"].addresses[0].addr_spec) == (CLIENT, SUPPORT)
    assert text_of(mail.raw).startswith(MAIL_ANSWER)


def timeline_shows_queued_then_sent(stage: Stage) -> None:
    """The event log tells of both, and the timeline as of each moment shows it."""
    customer_id = stage.conversation_with(MAIL_TEXT)["customer_id"]
    states = []
    for event in stage.get("/events", limit=500)["items"]:
        if event["data"].get("conversation_id") == stage.conversation_with(MAIL_TEXT)["id"]:
            then = stage.get(f"/customers/{customer_id}/timeline", as_of=event["recorded_at"])
            states += [entry["delivery"]["state"] for entry in then["items"] if entry["text"] == MAIL_ANSWER]
    assert list(dict.fromkeys(states)) == ["queued", "sent"]


async def a_third_message_joins_the_first_conversation(stage: Stage, page: Page, to_mail: Received) -> None:
    stage.deliver(answer_to(to_mail.raw, CLIENT, THIRD_TEXT, "<third@mail.example.com>"))
    await expect(message(page, THIRD_TEXT)).to_be_visible()
    await expect(message(page, MAIL_TEXT)).to_be_visible()
    conversation = stage.conversation_with(MAIL_TEXT)
    texts = [entry["text"].strip() for entry in stage.messages(conversation["id"])]
    assert texts == [MAIL_TEXT, MAIL_ANSWER, THIRD_TEXT]
    third = stage.messages(conversation["id"])[2]
    assert MAIL_ANSWER in third["full_text"]
    theirs = [each for each in stage.conversations() if each["customer"]["address"] in (FORM_CLIENT, CLIENT)]
    assert len(theirs) == 2


def timeline_shows_the_past(stage: Stage, before_answers: str) -> None:
    """`okno timeline client@example.com --as-of TIME`"""
    now = stage.okno_json("timeline", CLIENT)
    said = [entry["text"].strip() for entry in now["items"] if entry["direction"]]
    assert said == [MAIL_TEXT, MAIL_ANSWER, THIRD_TEXT]
    events = stage.get("/events", limit=500)["items"]
    received = [e for e in events if e["type"] == "MessageReceived" and e["occurred_at"] == before_answers]
    then = stage.okno_json("timeline", CLIENT, "--as-of", received[0]["recorded_at"])
    assert [entry["text"].strip() for entry in then["items"] if entry["direction"]] == [MAIL_TEXT]


def links_of_commands_lead_here(stage: Stage) -> None:
    """`okno operators add`, `okno channels add` without OKNO_PUBLIC_URL"""
    operator = stage.okno_json("operators", "add", "vera@okno.example")
    assert operator["setup"].partition("/setup?")[0] in {each.url for each in stage.named("inbox-api")}
    form = stage.okno_json("channels", "add", "web_form", "Second form")
    shown = form["facts"][1].removeprefix("or give people ")
    assert {form["address"].partition("/in/")[0], shown.partition("/forms/")[0]} <= {
        each.url for each in stage.named("ingest")
    }


def rebuild_shows_its_progress_and_finds_all_equal(stage: Stage) -> None:
    printed = stage.okno("rebuild", "--json")
    assert '{"step":"events",' in printed
    tables = json.loads(printed[printed.index("{\n") :])["items"]
    assert len(tables) > 3
    assert [table["table"] for table in tables if not table["equal"]] == []
