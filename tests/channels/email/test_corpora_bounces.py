"""Bounces other projects collected: recognised, hard or soft, why, and whose. Skipped, with a count, where absent."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from shared.channels.email import body, bounce, mime
from shared.channels.email.bounce_reason import HARD, REASONS
from tests.channels.email.mailbox import parsed
from tests.channels.email.test_corpora import CORPORA, SETS, mails

SISIMAI = CORPORA / "sisimai-bounces"
FLUFL = CORPORA / "flufl-bounce"

# sisimai's words and ours.
WORDS = {
    "authfailure": "authentication",
    "badreputation": "reputation",
    "contenterror": "content",
    "exceedlimit": "limit",
    "hasmoved": "moved",
    "hostunknown": "host_unknown",
    "mailboxfull": "mailbox_full",
    "mailererror": "mailer",
    "mesgtoobig": "too_large",
    "networkerror": "network",
    "norelaying": "no_relaying",
    "notaccept": "not_accepting",
    "notcompliantrfc": "not_compliant",
    "onhold": "undefined",
    "policyviolation": "policy",
    "requireptr": "reverse_dns",
    "securityerror": "security",
    "spamdetected": "spam",
    "suspend": "suspended",
    "syntaxerror": "syntax",
    "systemerror": "system",
    "systemfull": "system_full",
    "toomanyconn": "too_many_connections",
    "userunknown": "user_unknown",
    "virusdetected": "virus",
}
# What an operator does about it: mend the address, mend our server, wait for room, wait.
CLASSES = {
    "address": "user_unknown host_unknown moved not_accepting filtered suspended",
    "refused": "blocked rejected policy security reputation spam authentication reverse_dns no_relaying virus "
    "not_compliant content speeding too_many_connections syntax",
    "room": "mailbox_full limit too_large system_full",
    "trouble": "network expired system mailer undefined",
}
CLASS_OF = {reason: name for name, reasons in CLASSES.items() for reason in reasons.split()}


@cache
def report(path: Path) -> bounce.Report | None:
    tree = mime.read(path.read_bytes())
    return bounce.read(tree, body.read(tree).text)


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()[1:]]


def expectations() -> dict[str, list[list[str]]]:
    """The rows of each mail; one about several recipients has several, and any of them is a right answer."""
    if not SISIMAI.exists():
        pytest.skip(f"corpora/sisimai-bounces: {SETS['sisimai-bounces'][0]} mails are not here")
    rows = defaultdict(list)
    for row in table(SISIMAI / "expected.tsv"):
        rows[row[0]].append(row)
    return rows


def test_every_reason_has_words_and_a_class() -> None:
    assert set(CLASS_OF) == set(REASONS)
    assert set(WORDS.values()) < set(REASONS)
    assert set(REASONS) > HARD


def test_bounces_are_told_from_other_mail() -> None:
    """Missed: two answers of list servers, a transcript for a postmaster, a bounce that a person forwarded."""
    folder = SISIMAI / "set-of-emails" / "maildir"
    rows = expectations()
    wrong = [name for name in rows if (report(folder / "bsd" / name) is not None) == name.startswith("rfc3834-")]
    others = [path.name for path in (folder / "not").glob("*.eml") if report(path) is not None]
    print(f"sisimai: bounce or not {len(rows) - len(wrong)}/{len(rows)}")
    assert others == []
    assert len(wrong) <= len(rows) // 100, wrong


def test_hard_or_soft_and_why() -> None:
    """The rules of words were made with the first half at hand, but for three; told by content, so no name matters."""
    folder = SISIMAI / "set-of-emails" / "maildir" / "bsd"
    rows = {name: rows for name, rows in expectations().items() if not name.startswith("rfc3834-")}
    bounces = {name: each for name, each in rows.items() if each[0][3] != "delivered"}
    halves = [{name: each for name, each in bounces.items() if half_of(folder / name) == half} for half in (0, 1)]
    whole = judged(folder, bounces)
    print("sisimai:", whole, "first half", judged(folder, halves[0]), "second", judged(folder, halves[1]))
    assert whole.hard >= 0.95
    assert whole.reason >= 0.86
    assert whole.kind >= 0.95
    assert judged(folder, halves[1]).hard >= 0.94
    assert judged(folder, halves[1]).reason >= 0.85


@dataclass(frozen=True)
class Shares:
    """Of how many; how many of them are hard or soft, for that reason, and of that class of reasons as expected."""

    count: int
    hard: float
    reason: float
    kind: float

    def __str__(self) -> str:
        return f"{self.count}: hard or soft {self.hard:.1%}, reason {self.reason:.1%}, class {self.kind:.1%};"


def judged(folder: Path, bounces: dict[str, list[list[str]]]) -> Shares:
    hard = reason = kind = 0
    for name, rows in bounces.items():
        if (found := report(folder / name)) is None:
            continue
        reasons = {WORDS.get(row[3], row[3]) for row in rows}
        hard += found.hard in {row[4] == "1" for row in rows}
        reason += found.reason in reasons
        kind += CLASS_OF[found.reason] in {CLASS_OF[each] for each in reasons}
    return Shares(len(bounces), hard / len(bounces), reason / len(bounces), kind / len(bounces))


def half_of(path: Path) -> int:
    return hashlib.sha256(path.read_bytes()).digest()[0] % 2


def test_complaints_are_complaints_and_reports_on_forgeries_are_not() -> None:
    if not SISIMAI.exists():
        pytest.skip("corpora/sisimai-bounces: 17 complaints are not here")
    natures = defaultdict(set)
    for path in (SISIMAI / "set-of-emails" / "maildir" / "bsd").glob("arf-*.eml"):
        natures[parsed(path.read_bytes()).nature].add(path.stem)
    # auth-failure reports, and a request to unsubscribe that Apple's program sent
    assert natures["automatic"] == {"arf-18", "arf-19", "arf-20", "arf-26"}
    assert len(natures["complaint"]) == 13
    assert set(natures) == {"automatic", "complaint"}


def test_flufl_failed_addresses() -> None:
    if not FLUFL.exists():
        pytest.skip(f"corpora/flufl-bounce: {SETS['flufl-bounce'][0]} mails are not here")
    rows = table(FLUFL / "expected.tsv")
    wrong, wrong_state = {}, []
    for name, temporary, permanent in rows:
        found = report(FLUFL / "data" / name)
        addresses = {each.lower() for each in f"{temporary},{permanent}".split(",") if each}
        if set(found.recipients if found else ()) != addresses:
            wrong[name] = found
        if found and addresses and (found.state == "delayed") != bool(temporary):
            wrong_state.append(name)
    print(f"flufl: {len(rows) - len(wrong)}/{len(rows)}, temporary or not wrong in {len(wrong_state)}")
    assert len(wrong) <= len(rows) * 0.05, wrong
    assert wrong_state == []


@pytest.mark.parametrize("name", ["imap-tools", "stalwart-mail-parser", "enmime", "cpython", "ruby-mail", "deltachat"])
def test_ordinary_mail_is_not_taken_for_a_bounce(name: str) -> None:
    """In these sets only what has a report for machines, or says so in its subject, is one."""
    marks = (b"delivery-status", b"disposition-notification", b"delivery", b"undeliver", b"returned", b"failure notice")
    for path in mails(name):
        data = path.read_bytes()
        try:
            found = report(path)
        except mime.NoHeaders:
            continue
        assert found is None or any(mark in data.lower() for mark in marks), path.name
