"""The log: append, index, follow; on SQLite and PostgreSQL alike."""
