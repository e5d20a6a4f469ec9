"""The providers that have an API, by the channel's setting `provider`; the generic one has none."""

from __future__ import annotations

from shared.channels.telephony import mango_api, twilio_api, uis_api, zadarma_api
from shared.channels.telephony.provider_api import ProviderApi

APIS: dict[str, ProviderApi] = {
    "twilio": twilio_api.API,
    "mango": mango_api.API,
    "zadarma": zadarma_api.API,
    "uis": uis_api.API,
}
