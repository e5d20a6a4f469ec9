"""What is new in a mail, PURE: all before the quoted history, in the English and Russian forms mail programs write.

Answers written between quoted lines are kept with their quotes: cutting them would lose what they answer. What is
forwarded is no history but the matter itself.
"""

from __future__ import annotations

import re

_MAX_LINES = 20_000
_MAX_LINE = 2_000
_MAX_SIGNATURE_LINES = 12

_FORWARDED_SUBJECT = re.compile(
    r"\s*(fwd?|wg|tr|пересл\w*|пересылка|перенаправлено)\s*(\[\d{1,3}\])?\s*:", re.IGNORECASE
)

_SEPARATOR = re.compile(
    r"[>\s]*-{2,}\s*(original message|original appointment|reply message|reply above this line"
    r"|исходное сообщение|исходное письмо|оригинальное сообщение|первоначальное сообщение)\s*-{0,20}[>\s]*$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[>\s]*(-{2,}\s*(forwarded message|перес(ланное|ылаемое) (сообщение|письмо)|перенаправленное сообщение)"
    r"|begin forwarded message:|начало переадресованного сообщения:)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\W{0,4}(from|sent|to|cc|date|subject|от|от кого|отправлено|послано|кому|копия|дата|тема)\W{0,4}?:\W{0,4}(?=\S|$)",
    re.IGNORECASE,
)
_FIRST_FIELD = re.compile(r"[*>\s]*(from|subject|date|от|от кого|тема|дата)\*{0,2}:", re.IGNORECASE)
_RULE = re.compile(r"\s*[_\-=*]{5,}\s*$")
_ENDS = re.compile(
    r"(\b(wrote|writes|пишет|пишете|писал|писала|писали|написал|написала|написали|писал\(а\)|написал\(а\)"
    r"|сообщил|сообщает)\b[^\n]{0,40}|<?[\w.+\-]{1,64}@[\w.\-]{1,190}>?[\"'»)\]>*\s]{0,4}):$",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,2}[:.]\d{2}|\d{4}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_BEGINS = re.compile(r"[>\s]{0,3}(on|am|le|\w{2,12},?|\d{1,4}|здравствуйте|привет|добрый)\b", re.IGNORECASE)
_BEGINS_BEFORE = re.compile(r"[>\s]{0,3}(on|am|le)\s[^:]{1,150}$", re.IGNORECASE)
_SENT_FROM = re.compile(
    r"\s*(sent (from|with|via) (my |the |yahoo|mail|outlook|samsung|proton|gmail)[^\n]{0,60}"
    r"|get outlook for [^\n]{0,60}|отправлено (из|с|через) [^\n]{1,80}|послано из [^\n]{1,80})\s*$",
    re.IGNORECASE,
)


def new_text(full: str, subject: str = "") -> str:
    """Return the new part of a mail's text; the whole where nothing else would remain.

    A mail whose `subject` says that it is forwarded is new as a whole: what it carries is what it is about.
    """
    if _FORWARDED_SUBJECT.match(subject):
        return full
    lines = without_history(full).split("\n")
    if len(lines) > _MAX_LINES:
        return full
    return _unless_empty(_without_mobile_signature(_without_signature(lines)), full)


def without_history(full: str) -> str:
    """Return what was written by the sender of a mail, signature included; the whole where nothing would remain."""
    lines = [line.rstrip() for line in full.split("\n")]
    return full if len(lines) > _MAX_LINES else _unless_empty(_without_history(lines), full)


def _unless_empty(lines: list[str], full: str) -> str:
    return "\n".join(lines).strip("\n") if any(line.strip() for line in lines) else full


def _without_history(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        if _FORWARDED.match(line[:_MAX_LINE]):
            return lines
        if _SEPARATOR.match(line[:_MAX_LINE]) or _is_header_block(lines, index):
            return _without_rule(lines[:index])
        start = _attribution(lines, index)
        if start is not None:
            return _around_quote(lines, start, index + 1)
        if line.startswith(">"):
            return _around_quote(lines, index, index)
    return lines


def _is_header_block(lines: list[str], index: int) -> bool:
    """From:, Sent:, To:, Subject: on neighbouring lines, as Outlook and its kin write it."""
    if not _FIRST_FIELD.match(lines[index][:100]):
        return False
    near = [line for line in lines[index : index + 10] if line.strip()][:6]
    return sum(bool(_FIELD.match(line[:200])) for line in near) >= 3


def _attribution(lines: list[str], end: int) -> int | None:
    """Return where an introduction such as `On ..., X wrote:` begins that ends on this line, None if none does."""
    if not lines[end].endswith(":"):
        return None
    joined = ""
    for start in range(end, max(-1, end - 4), -1):
        joined = f"{lines[start].strip()} {joined}".strip()
        if not lines[start].strip() or len(joined) > 400:
            return None
        if _BEGINS.match(joined) and _DATED.search(joined) and _ENDS.search(joined):
            return start - (start > 0 and _BEGINS_BEFORE.match(lines[start - 1][:200]) is not None)
    return None


def _around_quote(lines: list[str], start: int, quote: int) -> list[str]:
    """Return what stands before and, where the answer is below one quoted block, after it."""
    while quote < len(lines) and not lines[quote].strip():
        quote += 1
    if quote < len(lines) and not lines[quote].startswith(">"):
        return lines[:start]
    while quote < len(lines) and (lines[quote].startswith(">") or not lines[quote].strip()):
        quote += 1
    below = lines[quote:]
    if any(line.startswith(">") for line in below):
        return lines
    return [*lines[:start], *below]


def _without_rule(lines: list[str]) -> list[str]:
    """Drop the ruler and empty lines that led to the history."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or _RULE.match(lines[end - 1][:200])):
        end -= 1
    return lines[:end]


def _without_signature(lines: list[str]) -> list[str]:
    """Drop what follows the line `-- ` (RFC 3676, 4.3), if it is as short as a signature."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for index in range(end - 1, max(0, end - _MAX_SIGNATURE_LINES) - 1, -1):
        if lines[index] in ("--", "—", "- --"):
            return lines[:index]
    return lines


def _without_mobile_signature(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    if end and _SENT_FROM.match(lines[end - 1][:200]):
        return _without_rule(lines[: end - 1])
    return lines[:end]
