"""Bytes to text, PURE: what a mail declares is tried first, then what it can be. Never raises."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
"""UTF-7 can write them; neither UTF-8 nor what makes HTML safe takes them."""
_LINE_BREAKS = re.compile("[\r\n\t\x0b\x0c\x1c-\x1e\x85\u2028\u2029 ]+")
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_LATIN = re.compile(rb"[A-Za-z]")
_HIGH_LETTERS = re.compile(rb"[\xc0-\xff]+")
_THREE_CYRILLIC = re.compile("(?:[\u0400-\u04ff][^\u0400-\u04ff]*+){3}")
"""Of fewer letters, valid UTF-8 may be an accident."""
_ONE_BYTE = ("iso8859-", "cp125", "koi8", "cp866", "mac-")
_NOT_FOR_MAIL = {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "unicode_escape"}
_ALIASES = {
    "unicode-1-1-utf-7": "utf-7",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "win-1251": "cp1251",
    "cp-1251": "cp1251",
    "x-cp1251": "cp1251",
    "koi8": "koi8-r",
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-8859-8-i": "iso-8859-8",
    "utf8mb4": "utf-8",
}
_MAX_NAME = 80
_MIN_LETTERS = 8
"""Letters of Cyrillic words: fewer (äöüß, ÅÄÖ) may be Western ones in a row."""
_MIN_DIFFERENT = 7
_FREQUENT = frozenset("оеаинтсрвлкмдпу")
"""Four of five letters of a Russian text; of Western letters with accents, read as Russian, at most three."""


def decode(raw: bytes, charset: str = "") -> str:
    """Return the text of `raw`: by its charset where that works, else by what they look like. No lone surrogates."""
    text = _decoded(raw, charset).removeprefix("\ufeff")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _decoded(raw: bytes, charset: str) -> str:
    is_plain = raw.isascii() and b"\x1b" not in raw
    if is_plain and (not charset or _codec(charset) not in ("utf-7", "hz", "utf-16", "utf-32")):
        return raw.decode("ascii")
    if seen := _otherwise(raw, _codec(charset)):
        return seen
    for name in (_codec(charset), "utf-8"):
        if name in ("", "ascii"):
            continue
        try:
            return raw.decode("cp1252" if name == "iso8859-1" else name)
        except (UnicodeError, LookupError, ValueError):
            continue
    if _codec(charset) in ("", "ascii", "utf-8"):
        return _guessed(raw, _codec(charset))
    return raw.decode(_codec(charset), "replace")


def clean(text: str) -> str:
    """Return text that every store accepts: no NUL, no lone surrogates, lines ended by LF."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSTORABLE.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", text)


def one_line(text: str, limit: int = 1_000) -> str:
    """Return header text: no control characters, single spaces, cut at `limit` characters."""
    if text.isprintable() and "  " not in text:
        return text.strip(" ")[:limit]
    return _LINE_BREAKS.sub(" ", _CONTROL.sub("", _LINE_BREAKS.sub(" ", clean(text)))).strip()[:limit]


def _codec(charset: str) -> str:
    """Return Python's name of a charset, empty for an unknown one."""
    return _codec_named(charset[:_MAX_NAME])


@lru_cache(512)
def _codec_named(charset: str) -> str:
    name = charset.strip().strip("\"'").lower().partition("\x00")[0].partition("*")[0]
    name = _ALIASES.get(name, name)
    if not name or len(name) > 40 or name in _NOT_FOR_MAIL:
        return ""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return ""
    return info.name if getattr(info, "_is_text_encoding", True) and info.name not in _NOT_FOR_MAIL else ""


def _otherwise(raw: bytes, declared: str) -> str:
    """Return Cyrillic that is plainly not in the charset it declares: in UTF-8, or called Western. Else nothing.

    Texts in a charset of one byte are no valid UTF-8 but for a pair of signs, and Western words have few accents each.
    """
    if not declared.startswith(_ONE_BYTE):
        return ""
    try:
        text = raw.decode("utf-8")
    except UnicodeError:
        return _cyrillic(raw) if declared in ("iso8859-1", "cp1252") and _has_cyrillic_words(raw) else ""
    return text if _THREE_CYRILLIC.search(text) else ""


def _has_cyrillic_words(raw: bytes) -> bool:
    runs = [len(run) for run in _HIGH_LETTERS.findall(raw[:20_000])]
    in_words = sum(length for length in runs if length > 2)
    return in_words >= _MIN_LETTERS and in_words * 2 > sum(runs)


def _cyrillic(raw: bytes) -> str:
    """Return text that reads like Russian; nothing for Western signs in a row: of äöüß, àèìòù, Ååååå no words come."""
    text = _guessed(raw, "")
    letters = [c for c in text[:4_000].lower() if "а" <= c <= "я"]
    is_said = len(set(letters)) >= _MIN_DIFFERENT and sum(c in _FREQUENT for c in letters) * 5 > len(letters) * 3
    return text if is_said else ""


def _guessed(raw: bytes, declared: str) -> str:
    """Return undeclared 8-bit text: mostly UTF-8 with a few broken bytes, else Cyrillic, else Western."""
    as_utf8 = raw.decode("utf-8", "replace")
    broken = as_utf8.count("\ufffd")
    if broken and (declared == "utf-8" and broken * 2 <= sum(c > "\x7f" for c in as_utf8)):
        return as_utf8
    high_words = [word for word in _HIGH_WORD.findall(raw[:20_000]) if not word.isascii()]
    if sum(not _LATIN.search(word) for word in high_words) * 2 > len(high_words):
        return max((raw.decode(name, "replace") for name in ("cp1251", "koi8-r", "iso8859-5", "cp866")), key=_russian)
    return raw.decode("cp1252", "replace")


def _russian(text: str) -> int:
    """Return how much a text looks like Russian: frequent small letters count, strange signs count against it."""
    sample = text[:4_000]
    good = sum(c in _FREQUENT for c in sample) * 2 + sum("а" <= c <= "я" for c in sample)
    return good - 3 * sum(c > "\x7f" and not ("А" <= c <= "я" or c in "ёЁ«»—–№…") for c in sample)
