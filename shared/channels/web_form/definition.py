"""PURE: the fields of a channel's own form, as the script and the hosted page show them: a JSON list in `fields`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

Language = Literal["ru", "en"]
Type = Literal["text", "email", "tel", "number", "date", "url", "textarea", "select", "checkbox", "consent", "file"]
MOST_FIELDS = 50
NAME_CHARACTERS = 100
LABEL_CHARACTERS = 1000


class WrongDefinition(ValueError):
    """The setting is no list of fields; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field; `label` in each language. The value of a ticked box is its label: the text that was agreed to."""

    name: str
    label: Mapping[Language, str]
    type: Type = "text"
    required: bool = False
    options: tuple[str, ...] = ()


DEFAULT = (
    FormField("name", {"ru": "Имя", "en": "Name"}),
    FormField("email", {"ru": "Эл. почта", "en": "E-mail"}, "email", required=True),
    FormField("phone", {"ru": "Телефон", "en": "Phone"}, "tel"),
    FormField("message", {"ru": "Сообщение", "en": "Message"}, "textarea", required=True),
    FormField(
        "consent",
        {
            "ru": "Я согласен на обработку моих персональных данных",
            "en": "I agree to the processing of my personal data",
        },
        "consent",
        required=True,
    ),
)
TITLE: Mapping[Language, str] = {"ru": "Напишите нам", "en": "Write to us"}


def form_fields(setting: str) -> tuple[FormField, ...]:
    """Return the fields of a form; an empty setting is the default form. Raises WrongDefinition."""
    if not setting.strip():
        return DEFAULT
    listed = _json(setting, "fields")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_FIELDS:
        raise WrongDefinition(f"fields must be a JSON list of 1 to {MOST_FIELDS} fields")
    fields = tuple([_field(each) for each in listed])
    if len({field.name for field in fields}) < len(fields):
        raise WrongDefinition("fields: two fields have the same name")
    return fields


def form_title(setting: str) -> Mapping[Language, str]:
    """Return the heading in each language, from plain text or `{"ru": ..., "en": ...}`. Raises WrongDefinition."""
    if not setting.strip():
        return TITLE
    return _label(_json(setting, "title") if setting.lstrip().startswith("{") else setting, "title")


def _json(setting: str, name: str) -> object:
    try:
        return json.loads(setting)
    except (ValueError, RecursionError) as error:
        raise WrongDefinition(f"{name} is not JSON: {error}") from error


def _field(each: object) -> FormField:
    if not isinstance(each, dict) or not isinstance(each.get("name"), str):
        raise WrongDefinition('fields: each must be an object with a "name"')
    name, type_, required = each["name"].strip(), each.get("type", "text"), each.get("required", False)
    if not name or len(name) > NAME_CHARACTERS or name.startswith("_") or not name.isprintable():
        raise WrongDefinition(f"fields: {name!r} is no name: 1 to {NAME_CHARACTERS} characters, the first not _")
    if unknown := each.keys() - {"name", "label", "type", "required", "options"}:
        raise WrongDefinition(f"fields: {name} has unknown {', '.join(sorted(unknown))}")
    if type_ not in get_args(Type):
        raise WrongDefinition(f"fields: the type of {name} must be one of {', '.join(get_args(Type))}")
    if not isinstance(required, bool):
        raise WrongDefinition(f"fields: required of {name} must be true or false")
    options = _options(name, each.get("options", []), type_ == "select")
    return FormField(name, _label(each.get("label", name), name), cast(Type, type_), required, options)


def _options(name: str, options: object, needed: bool) -> tuple[str, ...]:
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise WrongDefinition(f"fields: options of {name} must be a list of texts")
    if needed != bool(options):
        raise WrongDefinition(f"fields: {name} must have options if, and only if, it is a select")
    return tuple(options)


def _label(label: object, name: str) -> Mapping[Language, str]:
    """A label in one language serves for both."""
    if isinstance(label, str):
        label = {"ru": label, "en": label}
    if not isinstance(label, dict) or not label or not label.keys() <= {"ru", "en"}:
        raise WrongDefinition(f'fields: the label of {name} must be a text or {{"ru": ..., "en": ...}}')
    if not all(isinstance(text, str) and 0 < len(text) <= LABEL_CHARACTERS for text in label.values()):
        raise WrongDefinition(f"fields: a label of {name} must have 1 to {LABEL_CHARACTERS} characters")
    either = next(iter(label.values()))
    return {"ru": label.get("ru", either), "en": label.get("en", either)}
