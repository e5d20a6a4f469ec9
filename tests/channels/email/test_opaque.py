"""The mail inside an S/MIME container that is signed, made by the same library mail programs use."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from shared.channels.email import opaque
from shared.parsed import Parsed
from tests.channels.email.mailbox import parsed

TEXT = "Прошу прислать счёт.\n\nИван"


@cache
def identity(rsa_key: bool = False) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ivan")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()), key


def letter(text: str = TEXT, attachment: bytes = b"") -> bytes:
    message = EmailMessage()
    message.set_content(text, charset="utf-8")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename="счёт.pdf")
    return message.as_bytes()


def signed(content: bytes, *options: pkcs7.PKCS7Options) -> bytes:
    certificate, key = identity()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


SIGNED = "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"


def mail(container: bytes, content_type: str = SIGNED) -> bytes:
    head = "From: ivan@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n"
    return f"{head}Content-Type: {content_type}\n\n".encode() + base64.encodebytes(container)


def open_length(tag: int, *values: bytes) -> bytes:
    """BER as OpenSSL streams it: the length is open, two zero octets end it."""
    return bytes([tag, 0x80]) + b"".join(values) + b"\x00\x00"


def short(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4)
    return bytes([tag]) + length + value


def streamed(content: bytes, piece: int = 7) -> bytes:
    """A signed container in pieces, without certificates and signers, which nobody reads."""
    pieces = [short(0x04, content[at : at + piece]) for at in range(0, len(content), piece)]
    octets = open_length(0xA0, open_length(0x24, *pieces))
    encapsulated = open_length(0x30, short(0x06, bytes.fromhex("2a864886f70d010701")), octets)
    data = open_length(0x30, short(0x02, b"\x01"), short(0x31, b""), encapsulated, short(0x31, b""))
    return open_length(0x30, short(0x06, bytes.fromhex("2a864886f70d010702")), open_length(0xA0, data))


def read(message: Parsed) -> tuple[str, list[str], tuple[str, ...]]:
    return message.text, [file.name for file in message.files], message.warnings


@pytest.mark.parametrize(
    "content_type",
    [
        SIGNED,
        "application/x-pkcs7-mime",
        "application/octet-stream; name=smime.p7m",
    ],
)
def test_the_text_within_an_opaque_signature_is_read_and_said_to_be_unchecked(content_type: str) -> None:
    inside = letter(attachment=b"%PDF")
    message = parsed(mail(signed(inside), content_type))
    assert read(message) == (TEXT, ["счёт.pdf", "smime.p7m"], ("signature_not_checked",))
    assert message.files[0].data == b"%PDF"
    assert opaque.content(message.files[1].data) == inside


def test_a_container_that_was_streamed_in_pieces_is_read() -> None:
    assert read(parsed(mail(streamed(letter())))) == (TEXT, ["smime.p7m"], ("signature_not_checked",))


def test_signatures_within_signatures_are_opened_to_a_limit() -> None:
    twice = mail(signed(mail(signed(letter()))))
    assert read(parsed(twice))[0] == TEXT
    data = letter()
    for _ in range(5):
        data = mail(signed(data))
    assert "[Signed with S/MIME" in parsed(data).text


def test_an_encrypted_container_stays_closed_and_is_named() -> None:
    certificate, _ = identity(rsa_key=True)
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(letter()).add_recipient(certificate)
    closed = builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    for content_type in ("application/pkcs7-mime; smime-type=enveloped-data", "application/pkcs7-mime"):
        text, files, warnings = read(parsed(mail(closed, content_type)))
        assert text == "[Encrypted with S/MIME: smime.p7m opens in a mail program that has the key]"
        assert (files, warnings) == (["smime.p7m"], ())


def test_a_detached_signature_holds_nothing_to_read() -> None:
    assert opaque.content(signed(letter(), pkcs7.PKCS7Options.DetachedSignature)) is None


def test_a_mail_that_is_signed_in_the_open_is_said_to_be_unchecked_too() -> None:
    message = parsed(
        b"From: a@b\nContent-Type: multipart/signed; boundary=s\n\n--s\n\nHello\n--s\n"
        b"Content-Type: application/pkcs7-signature; name=smime.p7s\n\nx\n--s--\n"
    )
    assert read(message) == ("Hello", ["smime.p7s"], ("signature_not_checked",))


def test_every_beginning_and_every_changed_byte_of_a_container_is_survived() -> None:
    for whole in (signed(b"\n" + b"x" * 40), streamed(b"Content-Type: text/plain\n\nx")):
        for at in range(len(whole)):
            opaque.content(whole[:at])
            opaque.content(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
            parsed(mail(whole[:at] + b"\x80" + whole[at + 1 :]))


@pytest.mark.parametrize("data", [b"\x30\x80" * 500_000, b"\x30\x80\x06\x01x\xa0\x80\x30\x80" + b"\x04\x00" * 450_000])
def test_a_hostile_container_takes_no_time(data: bytes) -> None:
    assert opaque.content(data) is None
