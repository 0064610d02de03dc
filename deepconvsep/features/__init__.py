"""Feature files, and how those of a dataset are made."""
