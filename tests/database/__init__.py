"""Transactions, wake-ups and leadership on both databases."""
