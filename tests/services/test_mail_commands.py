"""The commands of mail: what an operator has below it, and what a mailbox has."""

from __future__ import annotations

from tests.services.command_line import MAILBOX, Cli


def test_an_operators_signature_is_set_shown_and_forgotten(okno: Cli) -> None:
    okno("operators", "add", "olga@okno.example")
    command = ("operators", "signature", "olga@okno.example")
    assert okno(*command) == "olga@okno.example has no signature: the mailbox's own is used\n"
    assert okno.json(*command, r"Yours,\n{operator}") == {
        "email": "olga@okno.example", "signature": "Yours,\n{operator}"
    }  # fmt: skip
    assert okno(*command) == "Yours,\n{operator}\n"
    assert "there is no {name}" in okno.wrong(*command, "{name}")
    assert okno.json(*command, "") == {"email": "olga@okno.example", "signature": ""}
    assert "no operator" in okno.wrong("operators", "signature", "ben@okno.example", "Ben")


def test_the_signature_of_a_mailbox_is_changed_and_its_other_settings_stay(okno: Cli) -> None:
    id_ = okno(*MAILBOX).strip()
    change = ("channels", "change", id_, "--no-check", "--set")
    okno(*change, "signature={operator}", "--set", "imap_password=other")
    settings = okno.in_house(lambda house: house.registry.find(id_)).channel.settings
    named = ("address", "imap_password", "smtp_password", "signature")
    assert [settings[name] for name in named] == ["support@okno.example", "other", "s3cret", "{operator}"]
    assert "there is no {nobody}" in okno.wrong(*change, "signature={nobody}")
