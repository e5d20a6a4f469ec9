"""The API as a browser or a program sees it."""
