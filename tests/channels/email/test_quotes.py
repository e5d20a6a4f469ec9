"""The new text of a reply, as mail programs quote in English and Russian."""

import pytest

from shared.channels.email.quotes import new_text

NEW = "Спасибо, всё получил.\n\nИван"
QUOTED = "> Ваш заказ в пути.\n>\n> Анна"
PLAIN = "Ваш заказ в пути.\n\nАнна"


@pytest.mark.parametrize(
    "history",
    [
        f"On Mon, Apr 2, 2012 at 6:26 PM, Megan One <xxx@gmail.com> wrote:\n\n{QUOTED}",
        f"On Mon, Apr 2, 2012 at 6:26 PM, Megan One\n<xxx@gmail.com> wrote:\n{QUOTED}",
        f"21.11.2026 10:05, Анна пишет:\n{QUOTED}",
        f"21 нояб. 2026 г., в 10:05, Анна <support@example.com> написал(а):\n\n{QUOTED}",
        f"сб, 21 нояб. 2026 г. в 10:05, Анна <support@example.com>:\n\n{QUOTED}",
        f'21.11.2026, 10:05, "Анна" <support@example.com>:\n{PLAIN}',
        f"Суббота, 21 ноября 2026, 10:05 +03:00 от Анна <support@example.com>:\n{QUOTED}",
        f"Здравствуйте, Иван.\n\nВы писали 21 ноября 2026 г., 10:05:11:\n\n{QUOTED}".split("\n\n", 1)[1],
        f'02.04.2012 14:20 пользователь "bob@example.com" <\nbob@example.com> написал:\n\n{QUOTED}',
        f"-----Original Message-----\nFrom: Anna\nSent: Saturday\nTo: Ivan\nSubject: x\n\n{PLAIN}",
        f"-----Исходное сообщение-----\nОт: Анна\n\n{PLAIN}",
        f"________________________________\nFrom: Anna <a@b.example>\nSent: Saturday\nTo: Ivan\nSubject: x\n\n{PLAIN}",
        f"От: Анна <a@b.example>\nОтправлено: 21 ноября 2026 г. 10:05\nКому: Иван\nТема: x\n\n{PLAIN}",
        f"*От:* Анна <a@b.example>\n*Дата:* 21 ноября 2026 г. 10:05\n*Кому:* Иван\n*Тема:* x\n\n{PLAIN}",
        QUOTED,
        f"Отправлено из мобильной Почты Mail.ru\n\n{QUOTED}",
        "Отправлено с iPhone",
        "Sent from my iPhone",
    ],
)
def test_what_follows_the_answer_is_history(history: str) -> None:
    assert new_text(f"{NEW}\n\n{history}\n") == NEW


def test_an_answer_below_the_quotation_is_what_is_new() -> None:
    assert new_text(f"21.11.2026 10:05, Анна пишет:\n{QUOTED}\n\n{NEW}") == NEW


def test_answers_between_quotations_keep_what_they_answer() -> None:
    text = "Anna wrote on 21.11.2026 10:05:\n> Red?\nNo.\n> Blue?\nYes."
    assert new_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Он пишет:\nприходите завтра",
        "Отправлено из Москвы\nПришло в Тверь",
        "From: me to you, with love",
        "-----\nThree\n-----",
        "Тема: доставка. Когда?",
        QUOTED,
        "",
        "В 10:05:\nначали",
    ],
)
def test_text_without_history_stays_whole(text: str) -> None:
    assert new_text(text) == text
