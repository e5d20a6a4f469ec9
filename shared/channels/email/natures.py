"""What kind of mail this is and what it tells of a mail of ours, PURE: reports first, then the marks in the header."""

from __future__ import annotations

from shared.channels.email import bounce, bounce_reason, header_nature, mime, reports
from shared.contracts.inbound import About, DeliveryNotice, Nature

_NATURES: dict[bounce.State, Nature] = {
    "bounced": "bounce",
    "delayed": "bounce",
    "complained": "complaint",
    "delivered": "receipt",
    "read": "receipt",
}


def read(tree: mime.Part, text: str, key: bytes) -> tuple[Nature, About | None]:
    """Return the nature and, of a report, what it says. `key` is the one our Message-IDs are signed with."""
    nature = header_nature.read(tree, key)
    if nature == "loop":
        return nature, None
    report = bounce.read(tree, text)
    if report is None:
        return _of_other_report(tree) or nature, None
    return _NATURES[report.state], About(delivery=_notice(report))


def _of_other_report(tree: mime.Part) -> Nature | None:
    """A receipt of a mail deleted unread, a report on forgeries (RFC 6591): nobody waits, nothing changes."""
    if reports.disposition(tree):
        return "receipt"
    return "automatic" if reports.feedback_type(tree) else None


def _notice(report: bounce.Report) -> DeliveryNotice:
    """`error` begins with the reason in words an operator knows."""
    words = bounce_reason.REASONS.get(report.reason, "")
    error = ": ".join(filter(None, (words, report.error)))
    recipients, hard = ", ".join(report.recipients)[:1_000], report.hard if report.state == "bounced" else None
    return DeliveryNotice(report.original_ids, report.state, recipients, report.code, error, report.reason, hard)
