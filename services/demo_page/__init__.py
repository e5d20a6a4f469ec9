"""The demo's page, its samples and the client's mailbox."""
