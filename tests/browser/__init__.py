"""How the operator's window behaves in Chromium, against Okno as a process."""
