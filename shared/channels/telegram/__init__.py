"""Telegram: a bot, by long polling or webhook; also answers for business accounts connected to it.

Can: threads (replies, topics), files both ways, edits, deletions, reactions, albums, formatted text. Cannot: delivery
reports (Telegram tells nobody who has read), repeats that are safe (sendMessage has no idempotency key), and updates
older than 24 hours. The client of a group is the group itself, so that it has one conversation.
"""
