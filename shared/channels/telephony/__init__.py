"""Telephony: calls as a provider's webhooks and history tell of them; recordings; click to call.

Can: one call in any order of its webhooks, legs, hold and transfers, recordings in the background, reconciling with
the provider's history, ringing an operator and then the client. Cannot: write, tell of a delivery, or start the same
call twice safely: a lost answer leaves its fate unknown.

Unprotected: of Zadarma all but the numbers and the start of a call, and the ids of a recording; of UIS everything, as
only a secret in the address protects it. It is believed of the call that it names and of nothing else.
"""
