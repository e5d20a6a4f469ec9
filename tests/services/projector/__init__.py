"""The projector: inbound and delivery onto timelines, the relay, snoozes, leadership."""
