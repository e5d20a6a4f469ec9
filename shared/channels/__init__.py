"""One folder per channel kind; nothing outside a folder knows its name."""
