"""PURE: when the next call to a chat may be made: Telegram's limits kept, and a chat that said "later" left alone.

A 429 does not say whether it is meant for the chat or for the bot: after several chats in a row it is taken for the
bot's, and one call at a time finds out whether that is over.
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

BOT_PER_SECOND, BOT_BURST = 30.0, 30.0
CHAT_PER_SECOND, CHAT_BURST = 1.0, 5.0
"""One a second in a chat; a short burst passes."""
GROUP_PER_SECOND, GROUP_BURST = 20 / 60, 10.0
CHATS_KEPT = 20_000
REFUSED_CHATS = 10
"""So many different chats refused with none between that was not."""
TRIAL_SECONDS = 1.0
"""Between two calls while the bot is refused: chats that were only flooded all at once lose no more."""


@dataclass(slots=True)
class Bucket:
    """Fills by `per_second` up to `most`; each call takes one. Not frozen: it counts."""

    per_second: float
    most: float
    full_at: float = 0.0
    """When it would be full again if nobody took anything."""

    def wait(self, at: float) -> float:
        """Return for how many seconds there is nothing to take."""
        missing = max(0.0, self.full_at - at) * self.per_second
        return max(0.0, (missing - self.most + 1) / self.per_second)

    def take(self, at: float) -> None:
        self.full_at = max(self.full_at, at) + 1 / self.per_second


class Paces:
    """The paces of one bot and its chats; `at` are monotonic seconds."""

    def __init__(self) -> None:
        self._bot = Bucket(BOT_PER_SECOND, BOT_BURST)
        self._chats: OrderedDict[int, Bucket] = OrderedDict()
        self._closed_until: dict[int, float] = {}
        self._refused: set[int] = set()
        """The chats that were refused since a call was taken."""
        self._trial_seconds, self._trial_at = TRIAL_SECONDS, 0.0

    def refused(self, chat_id: int, seconds: float, at: float) -> None:
        """Telegram said when to come back."""
        self._closed_until[chat_id] = max(at + seconds, self._closed_until.get(chat_id, 0.0))
        self._refused.add(chat_id)
        self._trial_seconds = min(seconds, TRIAL_SECONDS)
        self._trial_at = at + self._trial_seconds

    def accepted(self) -> None:
        """Telegram took a call: the bot is not refused as a whole."""
        self._refused.clear()

    def closed_for(self, chat_id: int, at: float) -> float:
        """Return for how many seconds Telegram wants no call to the chat; 0 when it may be tried."""
        left = self._closed_until.get(chat_id, 0.0) - at
        if left <= 0:
            self._closed_until.pop(chat_id, None)
        return max(0.0, left)

    def chat_wait(self, chat_id: int, at: float) -> float:
        return max(self.closed_for(chat_id, at), self._chat(chat_id).wait(at))

    def bot_wait(self, at: float) -> float:
        return max(self._bot.wait(at), self.trial_wait(at))

    def trial_wait(self, at: float) -> float:
        """Return for how long nothing is to be tried, if Telegram seems to refuse the bot as a whole; else 0."""
        return max(0.0, self._trial_at - at) if len(self._refused) >= REFUSED_CHATS else 0.0

    def take(self, chat_id: int, at: float) -> None:
        self._bot.take(at)
        self._trial_at = at + self.trial_wait(at) + self._trial_seconds
        self._chat(chat_id).take(at)

    def _chat(self, chat_id: int) -> Bucket:
        bucket = self._chats.get(chat_id)
        if bucket is None:
            group = chat_id < 0
            bucket = Bucket(*((GROUP_PER_SECOND, GROUP_BURST) if group else (CHAT_PER_SECOND, CHAT_BURST)))
            self._chats[chat_id] = bucket
            if len(self._chats) > CHATS_KEPT:
                self._chats.popitem(last=False)
        self._chats.move_to_end(chat_id)
        return bucket
