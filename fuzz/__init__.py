"""Hostile input for everything that reads: ``python -m fuzz``; what held is in docs/reliability.md."""
