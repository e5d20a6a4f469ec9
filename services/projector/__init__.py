"""TRANSPORT -> STORE -> TABLES: the only writer of inbound events and of read models."""
