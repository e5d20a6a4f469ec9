"""Delivery reports onto replies: sent, failed or unknown; states only move forward."""

from __future__ import annotations

from collections.abc import Sequence

from services.projector.intake import Intake
from shared.contracts import topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.contracts.delivery import DeliveryReport
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.logs import Log

log = Log("projector")


def intake() -> Intake:
    """Return what the projector does with okno.delivery."""
    return Intake(topics.DELIVERY, "projector-delivery", record, give_up)


def record(session: Session, tx: Transaction, contracts: Sequence[Contract]) -> None:
    """Decide a batch of reports. Raises UndecodableRecord for a contract of another topic."""
    for report in contracts:
        if not isinstance(report, DeliveryReport):
            raise UndecodableRecord(f"{type(report).__name__} does not belong on {topics.DELIVERY}")
        command = c.RecordDelivery(
            report.reply_id,
            report.channel_id,
            report.attempt,
            report.state,
            report.tries,
            report.external_id,
            report.known_as,
            report.error,
            report.code,
        )
        try:
            session.decide(report.conversation_id, command, About(report.at, e.Actor("system"), report.reply_id))
        except NoSuchThing:
            log.error("report_of_unknown_conversation", reply_id=report.reply_id, at=report.at)


def give_up(session: Session, contract: Contract, reason: str) -> None:
    """A report that breaks the rules changes nothing: outbound's ledger still has the truth."""
    log.error("report_given_up", reply_id=getattr(contract, "reply_id", None), why=reason)
