"""Figures of Okno, each beside a limit measured in the same run: `python -m tests.benchmarks [NAME...]`."""
