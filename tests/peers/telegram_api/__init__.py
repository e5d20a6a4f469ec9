"""The parts of the Telegram peer: what the spec allows, what a bot remembers, what its methods do, what goes wrong."""
