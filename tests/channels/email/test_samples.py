"""Mails as well-known programs write them, one file each: what the operator sees of them."""

from pathlib import Path

import pytest

from tests.channels.email.mailbox import parsed

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("name", "sender", "subject", "text", "files"),
    [
        ("mail_ru_reply", "Иван Петров", "Re: Заказ", "Спасибо, нашёл.", ()),
        ("yandex_html_only", "Мария", "Возврат", "Хочу вернуть чайник.", ()),
        (
            "the_bat_koi8",
            "Иван",
            "Счёт на оплату",
            "Здравствуйте, Анна.\n\nДа, на юрлицо.",
            (),
        ),
        (
            "outlook_ru",
            "Смирнов Олег",
            "RE: счет",
            "Добрый день!\n\nАкт во вложении.\n\nС уважением,\nОлег Смирнов",
            ("Акт.pdf",),
        ),
    ],
)
def test_sample(name: str, sender: str, subject: str, text: str, files: tuple[str, ...]) -> None:
    message = parsed((SAMPLES / f"{name}.eml").read_bytes())
    assert (message.sender.name, message.subject) == (sender, subject)
    assert message.text == text
    assert tuple(file.name for file in message.files) == files
    assert len(message.full_text) > len(message.text)


def test_a_forwarded_text_is_no_history_but_the_matter_itself() -> None:
    message = parsed((SAMPLES / "gmail_ru_forward_inline.eml").read_bytes())
    assert "Не смогли дозвониться." in message.text
