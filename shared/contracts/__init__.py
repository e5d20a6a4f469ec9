"""What travels between services, as CloudEvents with JSON data."""
