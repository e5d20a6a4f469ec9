"""One try of one reply: every way a Sender can end becomes an Outcome, a bug in it too."""

from __future__ import annotations

import asyncio
from datetime import datetime

from services.outbound.ledger import Claimed, Outcome
from services.outbound.retry import next_try
from services.outbound.senders import Senders
from shared.connector import SendDelayed, Sender, SenderBroken, SendError, SendFateUnknown, Sent
from shared.logs import Log
from shared.said import said_with_kind

SEND_SECONDS = 60.0
ERROR_CHARACTERS = 2_000
INTERRUPTED = "Okno stopped while this was being sent; the client may have got it"
log = Log("outbound.attempt")


async def send(senders: Senders, claimed: Claimed, seconds: float = SEND_SECONDS) -> Sent | SendError:
    """Send once and return how it ended; what nobody expected, and what takes too long, has an unknown fate."""
    reply = claimed.reply
    try:
        async with senders.use(reply.channel_id) as sender:
            return await _sent(sender, claimed, seconds)
    except Exception as error:  # the Sender could not be opened, so nothing has left
        log.error("sender_not_opened", error, channel_id=reply.channel_id)
        return SenderBroken(f"the channel cannot be opened for sending: {said_with_kind(error)}")


async def _sent(sender: Sender, claimed: Claimed, seconds: float) -> Sent | SendError:
    reply = claimed.reply
    try:
        async with asyncio.timeout(seconds):
            return await sender.send(reply)
    except SendError as error:
        return error
    except TimeoutError:
        return SendFateUnknown(f"no answer within {seconds:.0f} s; the client may have got it", "timeout")
    except (Exception, asyncio.CancelledError) as bug:
        if _is_cancelled():
            raise
        log.error("sender_failed", bug, reply_id=reply.id, attempt=reply.attempt, channel_id=reply.channel_id)
        return SendFateUnknown(f"unexpected error while sending: {said_with_kind(bug)}", "bug")


def _is_cancelled() -> bool:
    """Whether somebody cancelled this task; a library that cancels itself is a bug like any other."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def outcome(result: Sent | SendError, claimed: Claimed, now: datetime) -> Outcome:
    """PURE: what the ledger is to say of a try."""
    if isinstance(result, Sent):
        return Outcome("sent", external_id=result.external_id, known_as=result.known_as)
    text = (str(result) or type(result).__name__)[:ERROR_CHARACTERS]
    if isinstance(result, SendFateUnknown):
        return Outcome("unknown", text, result.code)
    again = next_try(claimed.tries, result, now, claimed.first_try_at)
    if again is not None:
        return Outcome("waiting", text, result.code, next_try_at=again)
    if result.retryable:
        text = f"given up after {claimed.tries} tries: {text}"
    return Outcome("failed", text, result.code)


def interrupted(claimed: Claimed, repeat_is_safe: bool, now: datetime) -> Outcome:
    """PURE: what becomes of a reply whose sending was cut short by a crash."""
    if repeat_is_safe:
        again = next_try(claimed.tries, SendDelayed(INTERRUPTED), now, claimed.first_try_at)
        if again is not None:
            return Outcome("waiting", INTERRUPTED, next_try_at=again)
    return Outcome("unknown", INTERRUPTED, "interrupted")
