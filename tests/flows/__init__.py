"""Whole journeys through real servers: Okno as processes, a mailbox on Dovecot, a mail server, Chromium."""
