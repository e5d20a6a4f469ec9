"""The topic of a subject: the same for all answers of one matter, empty where many matters have it."""

import time

import pytest

from shared.channels.email.topic import topic


@pytest.mark.parametrize(
    "subject",
    [
        "Заказ 17 не пришёл",
        "Re: Заказ 17 не пришёл",
        "RE[2]: заказ 17  не пришёл ",
        "Re: Fwd: HA: Заказ 17 не пришёл".replace("HA", "На"),
        "Ответ: Заказ 17 не пришёл",
        "Пересл: Отв: Заказ 17 не пришёл",
        "FW: Заказ 17 не пришёл (fwd)",
        "[Ext] Re: Заказ 17 не пришёл",
        "Aw: WG: Заказ 17 не пришёл",
        "re : re^3: Заказ 17 не пришёл",
    ],
)
def test_answers_and_forwards_have_the_topic_of_the_first_mail(subject: str) -> None:
    assert topic(subject) == "заказ 17 не пришёл"


@pytest.mark.parametrize(
    "subject", ["", "Re:", "Re: Re:", "Вопрос", "Re: Здравствуйте!", "Добрый день", "Your order", "...", "(no subject)"]
)
def test_a_subject_that_many_write_is_no_topic(subject: str) -> None:
    assert topic(subject) == ""


@pytest.mark.parametrize("subject", ["Request for 17 chairs", "Reference 5", "Настройка: принтер", "Item: blue"])
def test_words_that_only_look_like_a_prefix_stay(subject: str) -> None:
    assert topic(subject) == subject.casefold()


def test_an_endless_row_of_prefixes_ends() -> None:
    started = time.monotonic()
    assert len(topic("Re: " * 250_000)) <= 500
    assert time.monotonic() - started < 1
