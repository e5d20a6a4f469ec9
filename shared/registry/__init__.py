"""The channels a business has connected: settings, secrets, cursors, leases and health, in tables of their own."""
