"""TRANSPORT -> CHANNEL: delivers replies; every reply ends in one known fate."""
