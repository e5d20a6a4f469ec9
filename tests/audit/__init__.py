"""The ledger and its holes."""
