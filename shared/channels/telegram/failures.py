"""PURE: every way a call of the Bot API can fail -> the SendError that says what to do, in words for the operator.

The words of the official server: https://github.com/tdlib/telegram-bot-api, telegram-bot-api/Client.cpp.
"""

from __future__ import annotations

from shared.channels.telegram import api
from shared.connector import SendDelayed, SenderBroken, SendError, SendFateUnknown, SendRefused

_MAY_BE_REPEATED = ("edit", "delete", "setMessageReaction", "sendChatAction")
_REASONS = {
    "bot was blocked by the user": "the client has blocked the bot",
    "user is deactivated": "the client's Telegram account no longer exists",
    "bot can't initiate conversation": "the client has not started the bot: it may not write first",
    "bot was kicked": "the bot was removed from this group",
    "bot is not a member": "the bot is no longer in this group",
    "the group chat was deleted": "the group was deleted",
    "chat not found": "Telegram knows no such chat: the client never wrote to this bot, or deleted the account",
    "not enough rights": "the bot may not write in this chat",
    "have no rights to send": "the bot may not write in this chat",
    "topic_closed": "this topic is closed",
    "message thread not found": "this topic no longer exists",
    "message is too long": "the text is longer than Telegram allows",
    "message to edit not found": "the message is no longer there",
    "message can't be edited": "Telegram no longer lets this message be edited",
    "message can't be deleted": "Telegram no longer lets this message be deleted (48 hours)",
    "message to react not found": "the message is no longer there",
    "reaction_invalid": "Telegram does not know this reaction",
    "business_connection_invalid": "the business account is no longer connected to the bot",
    "business connection not found": "the business account is no longer connected to the bot",
    "file must be non-empty": "an attachment is empty",
    "voice_messages_forbidden": "the client accepts no voice messages",
}


def failure(error: api.TelegramAPIError | api.ClientDecodeError, method: str) -> SendError:
    """Return what became of a call that failed otherwise than by flood control or a group that moved."""
    if isinstance(error, api.ClientDecodeError):
        return _lost("Telegram answered with something that is no JSON, as a proxy does when it fails", "502", method)
    words = _words(error)
    match error:
        case api.TelegramUnauthorizedError() | api.TelegramNotFound():
            return SenderBroken(f"Telegram does not accept the bot's token: {words}", "401")
        case api.TelegramForbiddenError():
            return SendRefused(_reason(words), "403")
        case api.TelegramServerError():
            return _lost(f"Telegram has an internal problem: {words}", "500", method)
        case api.TelegramEntityTooLarge():
            return SendRefused("Telegram does not take files of this size", "413")
        case api.TelegramNetworkError() if api.was_not_reached(error):
            return SendDelayed(f"Telegram cannot be reached: {words}", "connect")
        case api.TelegramNetworkError():
            return _lost(f"the connection broke before Telegram answered: {words}", "network", method)
        case _:
            return SendRefused(_reason(words), "400")


def partly(error: SendError, done: int, parts: int) -> SendError:
    """Return what a failure means when the first parts of a reply have been sent: it must not begin again by itself."""
    text = f"only {done} of {parts} messages of this reply were sent; then: {error}"
    return SendFateUnknown(text, error.code)


def _lost(text: str, code: str, method: str) -> SendError:
    """No answer: a message may have arrived, a change can be repeated."""
    if method.startswith(_MAY_BE_REPEATED):
        return SendDelayed(text, code)
    return SendFateUnknown(f"{text}; the client may have got it", code)


def _reason(words: str) -> str:
    known = next((reason for part, reason in _REASONS.items() if part in words.lower()), "")
    return f"{known} ({words})" if known else f"Telegram refuses it: {words}"


def _words(error: api.TelegramAPIError) -> str:
    return error.message.splitlines()[0][:500] if error.message else type(error).__name__
