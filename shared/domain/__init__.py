"""PURE: events, commands and deciders of the business; standard library only."""
