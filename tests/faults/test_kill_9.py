"""kill -9 of every process at random moments under load, then of all at once: nothing is missing nor doubled."""

import random
import time

import pytest

from tests.faults.load import Load
from tests.flows.evidence import assert_everything
from tests.flows.mails import parsed
from tests.flows.stage import Stage, eventually

KILLS = {"embedded": 5, "cluster": 1}
"""How often each process dies; a cluster has two of each service but the window."""
SEEDS = (20_261_121,)
POSTS, MAILS, REPLIES = 50, 20, 5
"""More of each than this is there when the kills are over: on a loaded machine the kills wait for them."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_at_random_moments_lose_nothing_and_double_nothing(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    stage.smtp.confirm_seconds = 0.1  # so that some kill falls into the middle of a send
    order = [service for service in stage.services for _ in range(KILLS[stage.mode])]
    chance.shuffle(order)
    with Load(stage, f"kill{seed}", seed=seed) as load:
        for number, service in enumerate(order, 1):
            # Each finds something to break: without a confirmed post there is nothing to lose.
            enough = POSTS * number // len(order)
            eventually(lambda enough=enough: len(load.confirmed) > enough, 60, f"post {enough}")  # type: ignore[misc]
            time.sleep(chance.uniform(0.1, 0.8))
            service.process.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            service.process.start()
            if stage.mode == "embedded":
                time.sleep(1.5)  # it has to live between two deaths, or there is nothing to kill
        stage.wait_until_ready()
        before = len(load.confirmed), len(load.replies)
        eventually(lambda: before < (len(load.confirmed) - 5, len(load.replies)), 60, "posts and a reply in between")
        stage.restart_all()
        eventually(lambda: len(load.mails) > MAILS and len(load.replies) > REPLIES, 60, "mails and replies")
    assert len(load.confirmed) > POSTS
    stage.smtp.confirm_seconds = 0.0
    load.assert_everything(repeats_allowed=True, within_seconds=120)


def test_a_reply_whose_sender_died_after_the_handover_goes_again_as_the_same_mail(embedded: Stage) -> None:
    assert embedded.post_form({"email": "twice@example.com", "message": "handover"}).status_code == 200
    conversation = embedded.conversation_with("handover")
    embedded.smtp.confirm_seconds = 30.0
    asked = embedded.api.post(f"/conversations/{conversation['id']}/replies", json={"text": "handover reply"})
    assert asked.status_code == 201
    eventually(lambda: len(embedded.smtp.mails) == 1, what="the mail")
    embedded.services[0].process.kill()
    embedded.smtp.confirm_seconds = 0.0
    embedded.start()
    assert_everything(embedded, confirmed=["handover"], replies=["handover reply"], repeats_allowed=True)
    first, again = (parsed(mail.raw)["Message-ID"] for mail in embedded.smtp.mails)
    assert first == again
