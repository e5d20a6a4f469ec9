"""What a mail says of the delivery of an earlier one, PURE: its report for machines first (RFC 3464), then words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from shared.channels.email import bounce_reason, bounce_ses, bounce_text, charset, mime, reports, words

State = Literal["delivered", "read", "delayed", "bounced", "complained"]
MAX_ERROR = 500

_SMTP_CODE = re.compile(r"(?:^|[\s:#(\[<])([45]\d\d)[ -](?:[ (#]{0,2}([45]\.\d{1,3}\.\d{1,3}))?", re.MULTILINE)
_STATUS = re.compile(r"\b([45]\.\d{1,3}\.\d{1,3})\b(?!\.\d)")


@dataclass(frozen=True, slots=True)
class Report:
    """What is said of our message. `reason` is a word of `bounce_reason.REASONS`, `hard`: the address never works."""

    state: State
    recipients: tuple[str, ...]
    original_ids: tuple[str, ...]
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool = False


def read(tree: mime.Part, text: str) -> Report | None:
    """Return what a mail reports; None for one that reports nothing. `text` is its readable text."""
    if kind := reports.feedback_type(tree) or _complaint_without_report(tree):
        return _complaint(tree, kind)
    if receipt := _receipt(tree, reports.disposition(tree)):
        return receipt
    found = reports.outcomes(tree) or bounce_ses.outcomes(text)
    if not found and not _is_bounce(tree, text):
        return None
    found = found or reports.wrapped(tree, text[: bounce_text.MAX_TEXT])
    explained = bounce_text.explanation(text)
    return _of_outcomes(tree, text, explained, found) if found else _of_words(tree, text, explained)


def _complaint(tree: mime.Part, kind: str) -> Report | None:
    """An `auth-failure` tells the owner of a domain of forgeries and is nobody's complaint (RFC 6591)."""
    if kind in ("auth-failure", "not-spam"):
        return None
    header = reports.returned(tree)
    to = [address for _, address in words.addresses(header.all("to"), 1)] if header else []
    return Report("complained", tuple(to), _ids_of(header), kind, f"complaint: {kind}")


def _complaint_without_report(tree: mime.Part) -> str:
    """Outlook.com's Junk Mail Reporting sends the mail complained of and says so in the subject only."""
    found = _subject(tree).lower().startswith("complaint about message from ") and reports.has_returned(tree)
    return "abuse" if found else ""


def _receipt(tree: mime.Part, fields: reports.Group) -> Report | None:
    if "displayed" not in fields.get("disposition", "").lower():
        return None
    ids = tuple(words.message_ids([fields.get("original-message-id", "").encode()])) or _ids_of(reports.returned(tree))
    who = reports.address(fields.get("final-recipient", ""))
    return Report("read", (who,) if who else (), ids or _answered(tree))


def _of_outcomes(tree: mime.Part, text: str, explained: str, found: list[reports.Outcome]) -> Report:
    """The worst outcome speaks for the mail: failed before delayed before delivered."""
    if found[0].action == "complaint":
        return Report("complained", tuple(each.recipient for each in found), _answered(tree), "", "complaint")
    worst = min(found, key=lambda each: _rank(each))
    same = [each for each in found if _rank(each) == _rank(worst)]
    state: State = ("bounced", "delayed", "delivered")[_rank(worst)]
    named = list(dict.fromkeys(each.recipient for each in same if "@" in each.recipient))
    recipients = tuple(named or bounce_text.recipients(explained, _ours(tree)))
    said = " ".join(each.diagnostic for each in same if not each.diagnostic.isdigit())  # a program's exit status
    return _judged(tree, text, state, recipients, worst.status, said, explained)


def _rank(outcome: reports.Outcome) -> int:
    match outcome.action:
        case "failed":
            return 0
        case "delayed":
            return 1
        case "delivered" | "relayed" | "expanded":
            return 2
        case _:
            return {"5": 0, "4": 1, "2": 2}.get(outcome.status[:1], 0)


def _of_words(tree: mime.Part, text: str, explained: str) -> Report:
    failed = [address for _, address in words.addresses(tree.all("x-failed-recipients"), reports.MAX_RECIPIENTS)]
    recipients = failed or bounce_text.recipients(explained, _ours(tree))
    state: State = "delayed" if bounce_text.is_temporary(f"{_subject(tree)}\n{explained}") else "bounced"
    return _judged(tree, text, state, tuple(recipients), "", "", explained)


def _judged(
    tree: mime.Part, text: str, state: State, recipients: tuple[str, ...], status: str, said: str, explained: str
) -> Report:
    ids = _ids_of(reports.returned(tree)) or bounce_text.original_ids(text) or _answered(tree)
    if state == "delivered":
        return Report(state, recipients, ids, status)
    smtp = _SMTP_CODE.search(said or explained)
    written = _STATUS.search(said or explained)
    if written and status[2:] in ("", "0.0"):
        status = written[1]
    error = _error(said, explained, recipients)
    reason = bounce_reason.of(said or error, explained, status, smtp[1] if smtp else "")
    if reason == "undefined" and (answered := bounce_text.answer_of_server(text)):
        error = charset.one_line(answered, MAX_ERROR)
        reason = bounce_reason.of(answered, explained, status, "")
    hard = state == "bounced" and reason in bounce_reason.HARD and (status[:1] != "4" or reason == "user_unknown")
    code = " ".join(filter(None, (smtp[1] if smtp else "", status)))
    return Report(state, recipients, ids, code, error, reason, hard)


def _is_bounce(tree: mime.Part, text: str) -> bool:
    """Tell whether a mail without outcomes for machines is a bounce: several signs must agree."""
    if tree.header("x-failed-recipients") or reports.has_delivery_report(tree):
        return True
    explained = bounce_text.explanation(text)
    sender = words.text(tree.header("from"), 200)
    local = "".join(address for _, address in words.addresses(tree.all("from"), 1)).partition("@")[0]
    daemon = max(bounce_text.daemon(local), bounce_text.daemon(sender))
    signs = (
        daemon
        + 2 * bounce_text.is_subject_of_bounce(_subject(tree))
        + 2 * bounce_text.is_wording_of_bounce(explained)
        + (re.fullmatch(rb"<>|<mailer-daemon.*>", tree.header("return-path").strip().lower()) is not None)
        + (reports.has_returned(tree) or len(explained) < min(len(text), bounce_text.MAX_TEXT))
        - 2 * (daemon < 3 and bounce_text.is_answer(_subject(tree)))
    )
    return signs >= 5


def _ours(tree: mime.Part) -> set[str]:
    """Return the addresses that are no failed recipient: ours and the reporter's."""
    values = [
        *tree.all("to"),
        *tree.all("delivered-to"),
        *tree.all("x-original-to"),
        *tree.all("from"),
        *tree.all("cc"),
    ]
    return {address for _, address in words.addresses(values, 20)}


def _ids_of(header: mime.Part | None) -> tuple[str, ...]:
    return tuple(words.message_ids(header.all("message-id"))[:1]) if header else ()


def _answered(tree: mime.Part) -> tuple[str, ...]:
    return tuple(words.message_ids([*tree.all("in-reply-to"), *tree.all("references")])[:1])


def _subject(tree: mime.Part) -> str:
    return words.text(tree.header("subject"), 300)


def _error(said: str, explained: str, recipients: tuple[str, ...]) -> str:
    """Return what an operator reads: the server's words, without the politeness around them."""
    if not said:
        smtp = _SMTP_CODE.search(explained)
        at = smtp.start() if smtp else max(0, explained.lower().find(recipients[0]) if recipients else 0)
        said = explained[at:]
    return charset.one_line(said, MAX_ERROR)
