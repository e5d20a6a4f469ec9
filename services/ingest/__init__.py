"""CHANNEL -> TRANSPORT: receivers and webhooks; nothing is confirmed to a channel before publish() returned."""
