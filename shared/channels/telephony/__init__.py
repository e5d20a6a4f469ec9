"""Telephony: calls as a provider's webhooks tell of them, posted to `/in/telephony/{channel}`. Receives only."""
