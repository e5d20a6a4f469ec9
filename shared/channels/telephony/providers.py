"""The telephony providers Okno understands, by the channel's setting `provider`."""

from __future__ import annotations

from shared.channels.telephony import generic
from shared.channels.telephony.webhook import Provider

PROVIDERS: dict[str, Provider] = {
    "generic": Provider(generic.problems, generic.admit, generic.read),
}
