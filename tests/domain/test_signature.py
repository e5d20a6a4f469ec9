"""What stands below a mail: the mailbox's words, the operator's own, and the names filled in."""

from __future__ import annotations

import pytest

from shared.domain.signature import signature, unknown_variables, values_of

VALUES = values_of("Olga {address}", "Support", "support@okno.example", "Okno Ltd")


@pytest.mark.parametrize(
    ("mailbox", "own", "below"),
    [
        ("", "", ""),
        (r"{operator}\n{organisation}", "", "Olga {address}\nOkno Ltd"),
        ("The mailbox", "Yours, {operator}", "Yours, Olga {address}"),
        (
            r"{signature}\n{organisation}, {channel} <{address}>",
            "Olga",
            "Olga\nOkno Ltd, Support <support@okno.example>",
        ),
        (r"{signature}\n{organisation}", "", "Okno Ltd"),
        ("The mailbox", " \n", "The mailbox"),
        ("", "{nobody} {signature} {", "{nobody} {signature} {"),  # neither may be kept, none is an error here
        ("{signature}", "{organisation}", "Okno Ltd"),
    ],
)
def test_an_operators_own_signature_stands_where_the_mailbox_wants_it(mailbox: str, own: str, below: str) -> None:
    assert signature(mailbox, own, VALUES) == below


def test_without_an_operator_or_an_organisation_the_channel_signs() -> None:
    assert values_of("", "Support", "a@b.example") == {
        "operator": "Support", "organisation": "Support", "channel": "Support", "address": "a@b.example"
    }  # fmt: skip


def test_a_value_is_one_line_and_is_not_looked_through_for_variables() -> None:
    assert signature("{operator}", "", values_of("A\r\nB {channel}", "Support", "a@b")) == "A B {channel}"


def test_names_that_nothing_stands_for_are_found() -> None:
    assert unknown_variables("{operator} {signature} {name}", of_mailbox=True) == ["name"]
    assert unknown_variables("{operator} {signature} {name}", of_mailbox=False) == ["name", "signature"]
