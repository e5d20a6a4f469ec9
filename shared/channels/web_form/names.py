"""PURE: which field of a form is the e-mail, the phone, the name, the subject, the message: by its name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Role = Literal["", "name", "first_name", "last_name", "email", "phone", "subject", "message", "consent", "service"]

_SYNONYMS: dict[Role, str] = {
    "name": "name, full name, your name, from name, fio, имя, ваше имя, как вас зовут, фио, контактное лицо",
    "first_name": "first name, firstname, given name",
    "last_name": "last name, lastname, surname, family name, фамилия",
    "email": "email, e mail, mail, your email, email address, reply to, replyto, from, почта, ваша почта, эл почта, "
    "электронная почта, емейл, имейл, е mail, адрес электронной почты, ваш email, ваш e mail",
    "phone": "phone, tel, telephone, mobile, phone number, your phone, телефон, тел, номер телефона, ваш телефон, "
    "мобильный, мобильный телефон, контактный телефон",
    "subject": "subject, your subject, topic, тема, тема сообщения, тема обращения",
    "message": "message, your message, comment, comments, textarea, text, body, question, сообщение, ваше сообщение, "
    "комментарий, комментарии, вопрос, ваш вопрос, текст, текст сообщения, обращение",
    "consent": "consent, agree, agreement, i agree, acceptance, gdpr, privacy, privacy policy, terms, personal data, "
    "согласие, согласен, согласна, персональные данные, обработка персональных данных, политика конфиденциальности",
    "service": "tranid, formid, cookies, access key, csrf token, csrfmiddlewaretoken, g recaptcha response, "
    "h captcha response, cf turnstile response, smartcaptcha token, smart token, redirect, botcheck, bot field, "
    "charset, jsonrpc",
}
_ROLES: dict[str, Role] = {name: role for role, names in _SYNONYMS.items() for name in names.split(", ")}
_UNDERSCORED: dict[str, Role] = {"reply_to": "email", "replyto": "email", "subject": "subject"}
_DESCRIPTIONS = "ordered_human_fields."
"""Netlify tells here of each field what it is called: `name` is the field's, not the client's."""
_AGREES = ("я согла", "согласие ", "даю согласие", "я даю согласие", "i agree", "i consent", "i accept")
_SEPARATORS = re.compile(r"[\s_\-*:.]+")


@lru_cache(maxsize=4096)
def role_of(name: str) -> Role:
    """Return what a field is for, empty for one of the form's own.

    `service` fields are for the form's machinery: kept, but nothing the client said. Only the innermost name
    counts (`fields[Email]`, `data.email`); a leading underscore marks settings of form services (Formspree).
    """
    if name.startswith(_DESCRIPTIONS):
        return "service"
    inner = innermost(name)
    if inner.startswith("_"):
        return _UNDERSCORED.get(inner[1:].lower(), "service")
    plain = _SEPARATORS.sub(" ", inner).strip().casefold()
    return _ROLES.get(plain) or ("consent" if plain.startswith(_AGREES) else "")


def innermost(name: str) -> str:
    """Return the last part of a nested name (`fields[Email]`, `data.email`)."""
    return re.split(r"[.\[]", name.strip().rstrip("]").rstrip(".[: "))[-1]
