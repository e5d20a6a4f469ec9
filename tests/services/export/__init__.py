"""Events as files and lines."""
