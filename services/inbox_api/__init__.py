"""BROWSER <-> TABLES, COMMANDS: reads read models, writes through event_store.handle."""
