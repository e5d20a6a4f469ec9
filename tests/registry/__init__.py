"""Channels, cursors, leases, health and operators."""
