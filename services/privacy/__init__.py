"""Erasure, retention and backups: what is forgotten for good, and what must be brought back."""
