"""The four processes of Okno; nobody imports another service, only up.py starts them together."""
