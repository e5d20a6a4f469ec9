"""kill -9 of every process at random moments under load: nothing is missing and nothing is doubled."""

import random
import time

import pytest

from tests.faults.load import Load
from tests.flows.stage import Stage

KILLS = {"embedded": 5, "cluster": 2}
SEEDS = (20_261_121,)


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_at_random_moments_lose_nothing_and_double_nothing(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    stage.smtp.faults.delay_seconds = 0.05  # so that some kill falls into the middle of a send
    order = [service for service in stage.services for _ in range(KILLS[stage.mode])]
    chance.shuffle(order)
    with Load(stage, f"kill{seed}", seed=seed) as load:
        time.sleep(1.0)
        for service in order:
            time.sleep(chance.uniform(0.1, 0.8))
            service.process.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            service.process.start()
            if stage.mode == "embedded":
                time.sleep(1.5)  # it has to live between two deaths, or there is nothing to kill
        stage.wait_until_ready()
    assert len(load.confirmed) > 50
    assert len(load.mails) > 20
    assert len(load.replies) > 5
    load.assert_everything(repeats_allowed=True)
