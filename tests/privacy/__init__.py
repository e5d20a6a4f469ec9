"""What must not be found any more, and that the rest still counts."""
