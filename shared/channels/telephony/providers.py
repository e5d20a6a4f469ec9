"""The telephony providers Okno understands, by the channel's setting `provider`."""

from __future__ import annotations

from shared.channels.telephony import generic, mango, twilio, uis, zadarma
from shared.channels.telephony.webhook import Provider

PROVIDERS: dict[str, Provider] = {
    "generic": Provider(generic.problems, generic.admit, generic.read),
    "twilio": Provider(twilio.problems, twilio.admit, twilio.read, answer=twilio.answer),
    "mango": Provider(mango.problems, mango.admit, mango.read, has_paths=True),
    "zadarma": Provider(zadarma.problems, zadarma.admit, zadarma.read, greet=zadarma.greet),
    "uis": Provider(uis.problems, uis.admit, uis.read),
}
