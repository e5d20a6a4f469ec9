"""A calendar file in words (RFC 5545, RFC 5546), PURE: what is invited to, when, where and by whom."""

from __future__ import annotations

import re

from shared.channels.email import content_lines
from shared.channels.email.content_lines import Line

MAX_EVENTS = 5

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d{0,2}(Z?))?")
_TITLES = {
    "REQUEST": "Invitation",
    "CANCEL": "Invitation cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Another time proposed",
    "PUBLISH": "Event",
}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "perhaps", "DELEGATED": "delegated"}


def describe(data: bytes, declared: str) -> str:
    """Return a few lines for the operator, empty for what is no calendar."""
    lines = content_lines.read(data, declared)
    method = next((line.value.strip().upper() for line in lines if line.name == "METHOD"), "")
    title = _TITLES.get(method, "Event")
    return "\n\n".join(_event(title, event) for event in _events(lines)[:MAX_EVENTS])


def _events(lines: list[Line]) -> list[dict[str, Line]]:
    """Return the events, for each name its first line; what belongs to an alarm inside is left out."""
    events: list[dict[str, Line]] = []
    inside: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            inside.append(line.value.strip().upper())
            if inside[-1] == "VEVENT":
                events.append({})
        elif line.name == "END" and inside:
            inside.pop()
        elif inside[-1:] == ["VEVENT"]:
            events[-1].setdefault(line.name, line)
    return events


def _event(title: str, event: dict[str, Line]) -> str:
    def text(name: str) -> str:
        return content_lines.unescaped(event[name].value) if name in event else ""

    start, end = (_time(event.get(name)) for name in ("DTSTART", "DTEND"))
    answer = event["ATTENDEE"].parameters.get("PARTSTAT", "").upper() if "ATTENDEE" in event else ""
    rows = {
        title: text("SUMMARY"),
        "When": " – ".join(filter(None, (start, end))),
        "Where": text("LOCATION"),
        "From": _person(event.get("ORGANIZER")),
        "Answer": _ANSWERS.get(answer, "") if title.startswith("Answer") else "",
    }
    return "\n".join(f"{name}: {value}" for name, value in rows.items() if value)


def _time(line: Line | None) -> str:
    """Return `2026-11-23 10:00 Europe/Moscow` as it was written; nobody's zone is guessed."""
    found = _TIME.match(line.value.strip()) if line else None
    if not found or line is None:
        return ""
    day = f"{found[1]}-{found[2]}-{found[3]}"
    if found[4] is None:
        return day
    zone = "UTC" if found[6] else line.parameters.get("TZID", "")
    return f"{day} {found[4]}:{found[5]} {zone}".rstrip()


def _person(line: Line | None) -> str:
    if line is None:
        return ""
    address = re.sub(r"(?i)^mailto:", "", line.value.strip())
    name = content_lines.unescaped(line.parameters.get("CN", ""))
    return f"{name} <{address}>" if name and name != address else address
