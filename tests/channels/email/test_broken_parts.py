"""Parts that break off, and boundaries that are longer than they may be."""

from __future__ import annotations

from shared.channels.email import mime
from shared.parsed import Parsed
from tests.channels.email.mailbox import parsed

HEAD = b"From: a@b.example\r\n"


def names(message: Parsed) -> list[str]:
    return [file.name for file in message.files]


def test_a_part_that_breaks_off_in_its_header_is_left_out_unless_it_has_a_name() -> None:
    cut = HEAD + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nHello\r\n--q\r\nContent-Type: image/png"
    assert names(parsed(cut)) == []
    assert names(parsed(cut + b"; name=scan.png")) == ["scan.png"]
    assert names(parsed(cut + b"\r\n\r\n--q--")) == ["image.png"]


def test_a_boundary_beyond_the_allowed_length_is_compared_up_to_a_limit() -> None:
    boundary = b"b" * 100
    head = HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"
    delimiter = b"--" + boundary[:90]
    tree = mime.read(head + b"\r\n".join([delimiter, b"", b"one", delimiter, b"", b"two", delimiter + b"--", b"x"]))
    assert [part.body() for part in tree.parts] == [b"one", b"two"]
