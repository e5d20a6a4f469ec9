"""The key store, and transports that seal."""
