"""A subject without what mail programs put in front of it, PURE: answers of one matter have the same topic."""

from __future__ import annotations

import re
import unicodedata

MAX_SUBJECT = 500

_PREFIX = re.compile(
    r"\s*(?:\[[^\]\[]{0,60}\]\s*)?"
    r"(?:re|aw|antw|sv|vs|rif|res|odp|ynt|fwd?|wg|tr|i|rv|enc"
    r"|ответ|отв|на|переслать|пересл|перенаправлено|пересылка|fw)"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s*[:：]",
    re.IGNORECASE,
)
_FORWARDED_AT_END = re.compile(r"\s*\((?:fwd|пересл)\)\s*$", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_GENERIC = (
    "hello hi hey test question help order invoice info information urgent important no subject none message mail "
    "request feedback contact payment delivery thanks support document documents file photo from website new "
    "привет здравствуйте добрый день вечер утро вопрос вопросы помогите помощь срочно важно заказ счет счёт без темы "
    "сообщение письмо заявка обращение оплата доставка спасибо тест поддержка документ документы файл фото с сайта "
    "новое новая проблема ошибка жалоба возврат договор акт мой ваш your my a an the по от о"
)
"""Subjects of only such words are written by many people about many matters."""
_TOO_GENERIC = frozenset(_GENERIC.split())


def topic(subject: str) -> str:
    """Return the subject without Re:, Fwd: and their kin, in small letters; empty when it says too little."""
    rest = unicodedata.normalize("NFC", subject[:MAX_SUBJECT])
    for _ in range(20):
        found = _PREFIX.match(rest)
        if not found:
            break
        rest = rest[found.end() :]
    rest = " ".join(_FORWARDED_AT_END.sub("", rest).casefold().split())
    return "" if all(word in _TOO_GENERIC for word in _WORD.findall(rest)) else rest
