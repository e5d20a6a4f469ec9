"""PURE: what the form says around its fields, in Russian and English, and which of the two a visitor reads."""

from __future__ import annotations

from collections.abc import Mapping

from shared.channels.web_form.definition import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "ru": {
        "send": "Отправить",
        "sending": "Отправляем…",
        "thanks": "Спасибо! Сообщение отправлено, мы скоро ответим.",
        "kept": "Нет связи. Сообщение сохранено здесь и отправится само, когда связь появится.",
        "refused": "Не получилось отправить.",
        "too_large": "Файлы вместе не должны быть больше 9 МБ.",
        "too_many": "Слишком много сообщений подряд. Попробуйте через минуту.",
        "back": "Вернитесь на страницу назад: набранный текст остался там.",
        "again": "Написать ещё",
        "trap": "Не заполняйте это поле",
    },
    "en": {
        "send": "Send",
        "sending": "Sending…",
        "thanks": "Thank you! Your message is sent; we will answer soon.",
        "kept": "No connection. Your message is kept here and will be sent by itself when the connection is back.",
        "refused": "It could not be sent.",
        "too_large": "Files must not be larger than 9 MB together.",
        "too_many": "Too many messages in a row. Please try again in a minute.",
        "back": "Go one page back: what you typed is still there.",
        "again": "Write again",
        "trap": "Leave this field empty",
    },
}
_READ_RUSSIAN = ("ru", "be", "uk", "kk")


def language_of(accepted: str) -> Language:
    """Return the language for an Accept-Language header or a plain tag (RFC 9110, section 12.5.4); English for others.

    Those who read Belarusian, Ukrainian or Kazakh get Russian only where they do not prefer English.
    """
    ranked = sorted(filter(None, map(_ranked, accepted.split(",")[:20])), key=lambda each: -each[0])
    for _, tag in ranked:
        if tag == "en":
            return "en"
        if tag in _READ_RUSSIAN:
            return "ru"
    return "en"


def _ranked(part: str) -> tuple[float, str] | None:
    tag, _, quality = part.strip().partition(";")
    try:
        weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
    except ValueError:
        weight = 0.0
    return (weight, tag.strip().lower().split("-")[0]) if weight > 0 else None
