"""The topics between services and what each carries; keys decide what keeps its order."""

INBOUND = "okno.inbound"
OUTBOUND = "okno.outbound"
DELIVERY = "okno.delivery"
RETRIES = "okno.retries"
EVENTS = "okno.events"
DEAD_LETTERS = "okno.dead-letters"

ALL = (INBOUND, OUTBOUND, DELIVERY, RETRIES, EVENTS, DEAD_LETTERS)
