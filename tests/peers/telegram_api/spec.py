"""Judges calls and objects by the machine-readable description of the Bot API; without its file nothing is judged."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

SPEC = Path(__file__).parents[4] / "shared" / "corpora" / "telegram" / "spec" / "bot_api_10.1.json"
_PLAIN = {"Integer", "Float", "String", "Boolean"}
_LITERAL = re.compile(r"(?:always|must be) [“\"]?(\w+)[”\"]?")

_TEXTS = {"text", "caption", "secret_token"}
"""Of the parameters we send: without a specification a text such as 7 would be taken for a number."""


class Spec:
    """`methods` and `types` by name."""

    def __init__(self, methods: dict[str, Any], types: dict[str, Any]) -> None:
        self.methods, self.types = methods, types

    def call(self, method: str, raw: dict[str, str], files: set[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the parameters with their types, and what is wrong with them. `files`: parts that were uploaded."""
        if not self.methods:
            return {name: text if name in _TEXTS else _guess(text) for name, text in raw.items()}, []
        if method not in self.methods:
            return {}, [f"{method}: no such method"]
        fields = {field["name"]: field for field in self.methods[method].get("fields", [])}
        params: dict[str, Any] = {}
        wrong = [f"{method}: unknown parameter {name}" for name in raw if name not in fields]
        wrong += [f"{method}: parameter {f['name']} is required" for f in fields.values() if _lacks(f, raw)]
        for name in raw.keys() & fields.keys():
            params[name], problems = self._parameter(f"{method}.{name}", fields[name], raw[name], files)
            wrong += problems
        return params, wrong

    def object(self, types: list[str], value: Any, where: str = "") -> list[str]:
        """Return what makes `value` none of `types`; the shortest list where it is none of several."""
        return min((self._one(type_, value, where) for type_ in types), key=len, default=[]) if self.types else []

    def _parameter(self, where: str, field: dict[str, Any], text: str, files: set[str]) -> tuple[Any, list[str]]:
        types = list(field["types"])
        if "InputFile" in types and (text.startswith("attach://") or text in files):
            missing = text.removeprefix("attach://") not in files
            return text, [f"{where}: {text} was not uploaded"] if missing else []
        value = _decoded(types, text)
        wrong = self.object([each for each in types if each != "InputFile"] or types, value, where)
        return value, wrong + _not_uploaded(value, files, where)

    def _one(self, type_: str, value: Any, where: str) -> list[str]:
        if type_.startswith("Array of "):
            if not isinstance(value, list):
                return [f"{where}: not an array"]
            return [p for n, item in enumerate(value) for p in self._one(type_[9:], item, f"{where}[{n}]")]
        if type_ in _PLAIN:
            return [] if _is_plain(type_, value) else [f"{where}: {value!r:.60} is no {type_}"]
        described = self.types[type_]
        if described.get("subtypes"):
            return self.object(described["subtypes"], value, where)
        if not isinstance(value, dict):
            return [f"{where}: not a {type_}"]
        return self._fields(described, value, where or type_)

    def _fields(self, described: dict[str, Any], value: dict[str, Any], where: str) -> list[str]:
        fields = {field["name"]: field for field in described.get("fields", [])}
        wrong = [f"{where}: unknown field {name}" for name in value if name not in fields]
        wrong += [f"{where}: field {n} is missing" for n, f in fields.items() if f["required"] and n not in value]
        for name in value.keys() & fields.keys():
            literal = _LITERAL.search(fields[name]["description"]) if fields[name]["types"] == ["String"] else None
            if literal and name in ("type", "status", "source") and value[name] != literal[1]:
                wrong += [f"{where}.{name}: {value[name]!r} instead of {literal[1]}"] * 3
            wrong += self.object(fields[name]["types"], value[name], f"{where}.{name}")
        return wrong


@cache
def load() -> Spec:
    if not SPEC.exists():
        return Spec({}, {})
    described = json.loads(SPEC.read_text())
    return Spec(described["methods"], described["types"])


def _lacks(field: dict[str, Any], raw: dict[str, str]) -> bool:
    return bool(field["required"]) and field["name"] not in raw


def _decoded(types: list[str], text: str) -> Any:
    """What the text of a form field means; the text itself where it is no JSON of that type."""
    if "Integer" in types and re.fullmatch(r"-?\d+", text):
        return int(text)
    if "String" in types:
        return text
    return _guess(text)


def _guess(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_plain(type_: str, value: Any) -> bool:
    match type_:
        case "Boolean":
            return isinstance(value, bool)
        case "String":
            return isinstance(value, str)
        case "Integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _not_uploaded(value: Any, files: set[str], where: str) -> list[str]:
    """References to parts of the form that are not there."""
    match value:
        case dict():
            return [p for each in value.values() for p in _not_uploaded(each, files, where)]
        case list():
            return [p for each in value for p in _not_uploaded(each, files, where)]
        case str() if value.startswith("attach://") and value.removeprefix("attach://") not in files:
            return [f"{where}: {value} was not uploaded"]
        case _:
            return []
