"""A channel that is refused rests as one that may not read does: providers lock accounts after some ten logins."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from services.outbound.pauses import Pauses

CHANNEL = uuid4()
NO_DATABASE: Any = None


class Steady:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_refused_login_is_tried_few_times_in_a_row_and_then_seldom() -> None:
    steady = Steady()
    pauses, tried = Pauses(NO_DATABASE, steady), list[float]()
    while steady.at < 1000:
        if not pauses.rests(CHANNEL):
            tried.append(steady.at)
            pauses.broken(CHANNEL, "535 refused")
        steady.at += 1
    assert len([at for at in tried if at < 82]) <= 4
    assert 4 <= len(tried) <= 5


def test_replies_that_were_tried_at_once_are_one_refusal() -> None:
    steady = Steady()
    pauses = Pauses(NO_DATABASE, steady)
    for _ in range(4):
        pauses.broken(CHANNEL, "535 refused")
    assert 7.5 <= pauses.left() <= 12.5
    pauses.forget(CHANNEL)
    assert not pauses.rests(CHANNEL)
