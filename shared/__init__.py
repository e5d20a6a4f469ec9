"""What the four services share; layers are kept by import-linter (see pyproject.toml)."""
