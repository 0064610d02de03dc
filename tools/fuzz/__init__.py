"""Hostile input for everything that reads: ``python -m tools.fuzz``; what held is in docs/reliability.md."""
