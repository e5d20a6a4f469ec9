"""What errors say in logs: where and what, and nothing that a client wrote or is known by."""

from __future__ import annotations

import io
import json
import logging
import time

import pytest

from shared.log_words import CHARACTERS, masked, told
from shared.logs import JsonLines

SAID = ("Любовь", "anna@example.com", "+7 (912) 345-67-89", "call me 'now'", "79123456789")


def failed() -> BaseException:
    """An error of an error, both with what a client said."""
    try:
        try:
            raise KeyError(SAID[1])
        except KeyError as error:
            error.add_note(f"of {SAID[0]}, {SAID[2]}")
            raise ExceptionGroup("several", [ValueError(f"cannot read {' '.join(SAID)!r}")]) from error
    except ExceptionGroup as error:
        return error


def test_a_traceback_tells_the_places_and_names_only() -> None:
    text = told(failed())
    assert [
        each for each in ("KeyError", "ValueError", "in failed", "several (1 sub-exception)") if each not in text
    ] == []
    assert [each for each in SAID if each in text] == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("connection to 127.0.0.1:5432 refused", "connection to 127.0.0.1:5432 refused"),
        (
            "no conversation 5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0003",
            "no conversation 5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0003",
        ),
        ("Key (address)=(anna) already exists", "Key (address)… already exists"),
        ("mailbox <anna@example.com> unknown", "mailbox <…> unknown"),
        ("calls +79123456789 back", "calls … back"),
        ("for http://host:81/bot4242424242:AAG-t_0123456789abcdefghij/getMe", "for http://host:81/bot…/getMe"),
        ("No such file: '/var/lib/okno/blobs/ab/ab01'", "No such file: '/var/lib/okno/blobs/ab/ab01'"),
        ("No such file: '/calls/79123456789.mp3'", "No such file: …"),
        ("No such file: '/files/Анна.pdf'", "No such file: …"),
        ('connection to server at "db.internal" failed', 'connection to server at "db.internal" failed'),
        ('relation "x" does not exist', 'relation "x" does not exist'),
        ("'channel_id'", "'channel_id'"),
        ("'tel-912-345-67-89' 'anna 7' 'a12345' 'anna@example.com'", "… … … …"),
        ("b'[AUTHENTICATIONFAILED] anna is unknown'", "[AUTHENTICATIONFAILED] …"),
        ("b'anna is unknown', said", "…, said"),
        ("can't send, provider doesn't answer", "can't send, provider doesn't answer"),
        ("named 'it's Anna's' here", "named … here"),
        ("as r'it\\'s Anna' says", "as … says"),
        ("written 2026-11-21 14:05:07.123+03:00 by 79123456789", "written 2026-11-21 14:05:07.123+03:00 by …"),
        ("born 1987-03-02", "born …"),
        ("was cut in 'Anna Petr", "was cut in …"),
        ("is named “Anna”, 'A' or \"B\"", "is named …, … or …"),
    ],
)
def test_a_message_keeps_ids_and_loses_what_it_quotes(said: str, kept: str) -> None:
    assert masked(said) == kept


@pytest.mark.parametrize("piece", ["a", "'a", " 'a", "“a", "a.", "(=(", "1 ", "\\'", "/", "'a "])
def test_a_long_message_is_cut_and_takes_no_time(piece: str) -> None:
    started = time.process_time()
    said = masked(piece * 200_000)
    assert (len(said) <= CHARACTERS + 1, said[-1], time.process_time() - started < 0.5) == (True, "…", True)
    assert len(told(ValueError(piece * 200_000))) < 2 * CHARACTERS


def test_a_line_of_a_library_and_a_reason_are_masked() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    record = logging.LogRecord("library", logging.ERROR, "", 1, "refused %s", ("'anna@example.com'",), None)
    ours = logging.LogRecord("okno.ingest", logging.ERROR, "", 1, "failed", (), (KeyError, failed(), None))
    ours.fields = {"reason": "no 'Anna'", "item_id": "anna-1"}
    for each in (record, ours):
        handler.handle(each)
    library, line = map(json.loads, stream.getvalue().splitlines())
    assert (library["event"], line["reason"], line["item_id"]) == ("refused …", "no …", "anna-1")
    assert "Любовь" not in line["traceback"]
