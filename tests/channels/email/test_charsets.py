"""Every charset, transfer encoding and header form in which Russian mail is written comes back exactly."""

import base64
import quopri
from urllib.parse import quote

import pytest

from tests.channels.email.mailbox import parsed

TEXT = "Здравствуйте! Где мой заказ №17? Ёлка — «ель».\nС уважением, Пётр Щукин"
SUBJECT = "Вопрос по заказу: где щётка и ёлка?"
NAME = "отчёт за ноябрь.pdf"
CHARSETS = ("utf-8", "koi8-r", "windows-1251", "iso-8859-5")


def expressible(text: str, charset: str) -> str:
    """The text without what the charset has no sign for."""
    return text.encode(charset, "ignore").decode(charset)


def header_value(text: str, charset: str, form: str) -> bytes:
    raw = text.encode(charset)
    match form:
        case "encoded-word B":
            words = [raw[at : at + 15] for at in range(0, len(raw), 15)]  # also within a letter
            return b"\r\n ".join(b"=?%s?B?%s?=" % (charset.encode(), base64.b64encode(word)) for word in words)
        case "encoded-word Q":
            encoded = "".join(f"={byte:02X}" for byte in raw).encode()
            return b"=?%s?Q?%s?=" % (charset.encode(), encoded)
        case _:
            return raw


def body_bytes(text: str, charset: str, encoding: str) -> bytes:
    raw = text.replace("\n", "\r\n").encode(charset)
    return {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring, "8bit": bytes}[encoding](raw)


@pytest.mark.parametrize("form", ["encoded-word B", "encoded-word Q", "raw 8-bit", "RFC 2231"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", CHARSETS)
def test_round_trip(charset: str, encoding: str, form: str) -> None:
    text, subject, name = (expressible(each, charset) for each in (TEXT, SUBJECT, NAME))
    if form == "RFC 2231":
        disposition = f"filename*={charset}''{quote(name.encode(charset))}".encode()
    else:
        disposition = b'filename="' + header_value(name, charset, form) + b'"'
    subject_value = header_value(subject, charset, "encoded-word B" if form == "RFC 2231" else form)
    message = parsed(
        b"From: a@b.example\r\nSubject: " + subject_value + b"\r\n"
        b"Content-Type: multipart/mixed; boundary=next\r\n\r\n--next\r\n"
        b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n"
        b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n"
        + body_bytes(text, charset, encoding) + b"\r\n--next\r\n"
        b"Content-Type: application/pdf\r\nContent-Disposition: attachment; " + disposition + b"\r\n\r\n"
        b"%PDF\r\n--next--"
    )  # fmt: skip
    assert message.text == text
    assert message.files[0].data == b"%PDF"
    assert (message.subject, message.files[0].name) == (subject, name)


@pytest.mark.parametrize("charset", ["utf-8", "koi8-r", "windows-1251"])
@pytest.mark.parametrize("declared", ["", "; charset=foo-bar", "; charset=us-ascii", '; charset="utf-8\x00"'])
def test_a_body_without_a_usable_charset_is_guessed(charset: str, declared: str) -> None:
    text = expressible(TEXT, charset)
    message = parsed(f"From: a@b\r\nContent-Type: text/plain{declared}\r\n\r\n".encode() + text.encode(charset))
    assert message.text == text


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        *(
            (declared, "utf-8")
            for declared in ("windows-1251", "koi8-r", "iso-8859-5", "iso-8859-1", "cp1252", "cp866")
        ),
        *(("iso-8859-1", real) for real in ("windows-1251", "koi8-r")),
        ("windows-1252", "windows-1251"),
    ],
)
def test_a_wrong_charset_is_seen_through(declared: str, real: str) -> None:
    text = expressible(TEXT, real)
    message = parsed(f"From: a@b\r\nContent-Type: text/plain; charset={declared}\r\n\r\n".encode() + text.encode(real))
    assert message.text == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Её", "windows-1251"),
        ("Да, её № «ёлка»", "windows-1251"),
        ("à la Fête: ça été où? éè", "iso-8859-1"),
        ("Ça éé ÀÉÎ, ÄÖÜß?", "iso-8859-1"),
        ("Größenmaßstäbe", "windows-1252"),
        ("Umlaute im Test: äöüß ÄÖÜ éèê", "iso-8859-1"),
        ("Accenti: àèéìòù ÀÈÉÌÒÙ", "windows-1252"),
        ("Les accents: àâéèêëîïôùûç", "iso-8859-1"),
        ("Ååååååååå nej!", "iso-8859-1"),
        ("Éééééééééé bien", "iso-8859-1"),
    ],
)
def test_a_right_charset_is_believed(text: str, charset: str) -> None:
    message = parsed(
        f"From: a@b\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + text.encode(charset)
    )
    assert message.text == text


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    body = "\ufeffПривет".encode()
    assert parsed(b"From: a@b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body).text == "Привет"


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_half_a_letter_of_utf_7_is_shown_as_a_broken_one(kind: str) -> None:
    message = parsed(b"From: a@b\r\nContent-Type: " + kind.encode() + b"; charset=utf-7\r\n\r\n<p>Hi +22Y-</p>")
    assert "Hi \ufffd" in (message.html or message.text)
    assert (message.text + message.html).encode()


def test_western_letters_are_not_taken_for_cyrillic() -> None:
    assert parsed("From: a@b\r\nSubject: Formação: Verão e café\r\n\r\n".encode("latin-1")).subject == (
        "Formação: Verão e café"
    )
