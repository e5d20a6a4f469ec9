"""Under which key it is kept where somebody wrote of something on a channel last."""

from __future__ import annotations

from uuid import UUID, uuid5

from shared.contracts.inbound import InboundMessage
from shared.domain.events import MessageReceived
from shared.domain.identity import mailbox_of


def topic_of(message: InboundMessage | MessageReceived) -> UUID:
    """Return the key of what a message is about: the same for the item as it came and as it was received.

    Where they want the answers counts, if that is not at their address. Many visitors write through the form of one
    site, all under one subject; and many people want their answers at one list.
    """
    sender, answers_to = message.sender, message.reply_to.address if message.reply_to else ""
    at_home = not answers_to or mailbox_of(answers_to) == mailbox_of(sender.address)
    writer = f"{sender.kind}:{sender.address}" + ("" if at_home else f" {mailbox_of(answers_to)}")
    return uuid5(message.channel_id, f"{writer}\n{message.topic}")
