"""The log of everything that happened; the only package that imports eventsourcing."""
