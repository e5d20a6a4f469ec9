"""Is everything that came still here? The ledger of each channel: what was received, stored, shown, answered."""
