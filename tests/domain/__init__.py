"""The pure rules, given events, when a command, then events."""
