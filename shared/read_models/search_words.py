"""PURE: texts to the words they are found by, and what somebody typed to what has to be there.

The same words go into both databases, so both find the same: case is folded, ё is е, words are brought to their stem,
telephone numbers to their digits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from snowballstemmer.english_stemmer import EnglishStemmer
from snowballstemmer.russian_stemmer import RussianStemmer

WORD_CHARACTERS = 64
WRITTEN_CHARACTERS = 2 * WORD_CHARACTERS
"""Of a word with its accents: what is longer is cut before it is kept in memory."""
WORDS = 3000
"""Different words of one entry that it is found by: what is longer is no message."""
TERMS = 16
QUERY_CHARACTERS = 500
PIECES = 50_000
"""Of texts, whose stems are kept in memory."""
PHONE_DIGITS = range(10, 16)
"""Of an international number (ITU-T E.164: 15 at most) or a national one."""
PHONE_GROUPS = 6
"""A text with fewer digits has no such number, however often its groups are the same."""
KEY, OWNER = "\ue000", "\ue001"
"""Private characters before ids that entries are looked up by: no text has such words, `words` leaves them out."""

_PLAIN = re.compile(r"\w+")
_ODD = re.compile(r"[\u0300-\u036f\u00ad\u200b-\u200d]")
"""What may stand within a word and is no letter: where there is none, words are found in half the time."""
_WORD = re.compile(r"(?:[^\W_]++[\u0300-\u036f\u00ad\u200b-\u200d]*+)++")
_DIGITS = re.compile(r"\+?\d(?:[ \u00a0().\-]{0,3}\d){3,18}")
_TYPED = re.compile(rf"(?<![^\W_])(?<!{_ODD.pattern}){_DIGITS.pattern}(?![^\W_]|{_ODD.pattern})")
"""Digits that stand alone: 1234AB is one word, as in the texts."""
_MANY_DIGITS = re.compile(r"\d(?:[ \u00a0().\-]{0,3}+\d){9,18}+")
"""As many as a number has: what begins with a digit is found in half the time."""
_LONG = re.compile(r"[0-9][0-9 \u00a0().\-]{9}")
"""What every such number has, being ASCII: found in a third of the time."""
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]*)[\"“”»]?")
_IGNORED = re.compile(r"[\u0300-\u0305\u0307\u0309-\u036f\u00ad\u200b-\u200d]")
"""Stress marks and soft hyphens; й and ё are letters of their own once composed."""
_CYRILLIC = re.compile(r"[а-я]")
_russian, _english = RussianStemmer(), EnglishStemmer()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One word that must be there, or one that begins so."""

    word: str
    is_prefix: bool = False

    def fits(self, word: str) -> bool:
        return word.startswith(self.word) if self.is_prefix else word == self.word


Alternatives = tuple[tuple[Wanted, ...], ...]
"""One of these groups must be there, whole."""


@dataclass(frozen=True, slots=True)
class Query:
    """All of `terms`, and each of `phrases` word for word."""

    terms: tuple[Alternatives, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()

    @property
    def wanted(self) -> list[Wanted]:
        """Return every word that somebody might want to see marked."""
        return [each for term in self.terms for group in term for each in group]


def words(text: str) -> list[str]:
    """Return the words of a text as they were said, case and accents folded, in order."""
    return [folded(found) for found in _found(_composed(text))]


def stems(text: str) -> set[str]:
    """Return what a text is found by."""
    composed = _composed(text)
    found = _NONE.union(*map(_stems_of.__getitem__, composed.split()))
    if sum(map(len, filter(str.isdecimal, found))) >= PHONE_GROUPS and _LONG.search(composed):
        for digits in set(_MANY_DIGITS.findall(composed)):
            found |= numbers(digits)
    return found if len(found) <= WORDS else set(sorted(found)[:WORDS])


def spans(text: str) -> Iterator[tuple[int, int, set[str]]]:
    """Return where words and numbers stand in a text, and what each is found by; numbers first."""
    for found in _DIGITS.finditer(text):
        if keys := numbers(found.group()):
            yield found.start(), found.end(), keys
    for found in _WORD.finditer(text):
        yield found.start(), found.end(), {_key(found.group())}


def numbers(written: str) -> set[str]:
    """Return a telephone number with its country and without: Russians write +7 912 and 8 912 for the same."""
    digits = "".join(filter(str.isdigit, written))
    if len(digits) not in PHONE_DIGITS or not digits.isascii():
        return set()
    if len(digits) == 11 and digits[0] in "78":
        return {f"7{digits[1:]}", digits[1:]}
    return {digits}


def folded(word: str) -> str:
    """Return one word without case, accents of Latin letters, stress marks."""
    return _folded(word[:WRITTEN_CHARACTERS])


@lru_cache(maxsize=100_000)
def _folded(word: str) -> str:
    if word.isascii() and word.isalnum():
        return word.lower()[:WORD_CHARACTERS]
    plain = _IGNORED.sub("", unicodedata.normalize("NFKC", word).casefold()).replace("ё", "е")
    if not plain.isascii() and not _CYRILLIC.search(plain):
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return "".join(filter(str.isalnum, plain))[:WORD_CHARACTERS]


def _key(word: str) -> str:
    """Numbers and codes have no stem; nearly every one is new, so none is remembered by itself."""
    if word.isascii() and not word.isalpha():
        return word.lower()[:WORD_CHARACTERS]
    return _stem_of(word[:WRITTEN_CHARACTERS])


@lru_cache(maxsize=100_000)
def _stem_of(word: str) -> str:
    return stem(_folded(word))


class _StemsOf(dict[str, frozenset[str]]):
    """What stands between two blanks, mostly a word with its punctuation, and its stems: nearly all were met before."""

    def __missing__(self, piece: str) -> frozenset[str]:
        found = frozenset(filter(None, map(_key, _found(piece))))
        if len(self) >= PIECES:
            self.clear()
        if len(piece) <= WORD_CHARACTERS:
            self[piece] = found
        return found


_stems_of = _StemsOf()
_NONE: set[str] = set()


def stem(word: str) -> str:
    """Return the stem of a folded word: of a Russian one or an English one, by its letters."""
    if _CYRILLIC.search(word):
        return str(_russian.stemWord(word))
    return str(_english.stemWord(word)) if word.isascii() and word.isalpha() else word


# --- what somebody typed ----------------------------------------------------------------------------------


def parse(text: str) -> Query:
    """Return what has to be there; whatever is typed is a query. The last word may still be unfinished."""
    composed = _composed(text[:QUERY_CHARACTERS])
    phrases = [tuple(words(found)) for found in _QUOTED.findall(composed)]
    loose = _QUOTED.sub(" ", composed)
    terms = [*_numbers(loose), *_words(_TYPED.sub(" ", loose), unfinished=composed[-1:].isalnum())]
    exact = [((Wanted(stem(word)),),) for phrase in phrases for word in phrase]
    return Query(tuple([*exact, *terms][:TERMS]), tuple(filter(None, phrases)))


def _words(text: str, *, unfinished: bool) -> list[Alternatives]:
    found = words(text)
    terms: list[Alternatives] = []
    for number, word in enumerate(found, 1):
        last = unfinished and number == len(found) and len(word) > 1
        terms.append(((Wanted(stem(word)),), *(((Wanted(word, is_prefix=True),),) if last else ())))
    return terms


def _numbers(text: str) -> list[Alternatives]:
    """Groups of digits are a telephone number, or the beginning of one; or numbers of their own."""
    terms: list[Alternatives] = []
    for found in _TYPED.findall(text):
        digits = "".join(filter(str.isdigit, found))
        forms = {digits, *([f"7{digits[1:]}"] if digits[0] == "8" else [])}
        groups = tuple(Wanted(stem(word)) for word in words(found))
        terms.append((groups, *((Wanted(form, is_prefix=True),) for form in sorted(forms))))
    return terms


def _found(text: str) -> list[str]:
    return _WORD.findall(text) if not text.isascii() and _ODD.search(text) else _PLAIN.findall(text.replace("_", " "))


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
