"""One database, SQLite or PostgreSQL: transactions in threads, wake-ups after commit."""
