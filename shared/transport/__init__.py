"""Kafka or the embedded durable log behind one small protocol (protocol.py)."""
