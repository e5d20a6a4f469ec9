"""What proves that somebody has read a mail of ours."""

from uuid import UUID

import pytest

from shared.channels.email import signed

REPLY = UUID("00000000-0000-4000-8000-000000000001")
KEY = bytes(range(32))


def test_our_message_id_is_known_as_ours_and_always_the_same() -> None:
    made = signed.message_id(REPLY, KEY, "example.com")
    assert made == signed.message_id(REPLY, KEY, "example.com")
    assert made.startswith("<00000000000040008000000000000001.")
    assert made.endswith("@example.com>")
    assert signed.is_ours(made, KEY)
    assert signed.is_ours(made.strip("<>"), KEY)


def test_every_change_of_one_letter_makes_a_message_id_foreign() -> None:
    made = signed.message_id(REPLY, KEY, "example.com")
    for at in range(1, made.index("@")):
        forged = made[:at] + ("a" if made[at] != "a" else "b") + made[at + 1 :]
        assert not signed.is_ours(forged, KEY)


@pytest.mark.parametrize("foreign", ["", "<1@example.org>", "<>", f"<{REPLY}@example.com>", "x" * 10_000])
def test_other_message_ids_are_foreign(foreign: str) -> None:
    assert not signed.is_ours(foreign, KEY)


def test_another_key_proves_nothing() -> None:
    assert not signed.is_ours(signed.message_id(REPLY, KEY, "example.com"), b"another")
    assert signed.conversation_of(signed.address("a@example.com", REPLY, KEY), b"another") is None


def test_without_a_key_nothing_is_proven() -> None:
    assert not signed.is_ours(signed.message_id(REPLY, b"", "example.com"), b"")
    assert signed.conversation_of(signed.address("a@example.com", REPLY, b""), b"") is None
    assert signed.key_of("") == signed.key_of("not hex") == b""
    assert signed.key_of("00ff") == b"\x00\xff"


def test_a_reply_address_leads_to_its_conversation_in_any_case() -> None:
    made = signed.address("support@example.com", REPLY, KEY)
    assert made.startswith("support+okno.")
    assert made.endswith("@example.com")
    assert len(made.partition("@")[0]) <= 64
    assert signed.conversation_of(made, KEY) == REPLY
    assert signed.conversation_of(made.upper(), KEY) == REPLY


def test_every_change_of_one_letter_makes_a_reply_address_worthless() -> None:
    made = signed.address("support@example.com", REPLY, KEY)
    for at in range(made.index(".") + 1, made.index("@")):
        forged = made[:at] + ("a" if made[at] != "a" else "b") + made[at + 1 :]
        assert signed.conversation_of(forged, KEY) is None
        assert signed.is_forged(forged, KEY)
    assert not signed.is_forged(made, KEY)


@pytest.mark.parametrize("other", ["", "@", "support@example.com", "support+okno.@example.com", "+okno." + "7" * 42])
def test_other_addresses_lead_nowhere(other: str) -> None:
    assert signed.conversation_of(other, KEY) is None


def test_a_signature_of_an_address_is_none_of_a_message_id() -> None:
    token = signed.address("a@example.com", REPLY, KEY).partition("+okno.")[2].partition("@")[0]
    assert not signed.is_ours(f"<{REPLY.hex}.{token[26:]}@example.com>", KEY)
