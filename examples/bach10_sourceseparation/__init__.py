"""The name that the original's README gives to :mod:`examples.bach10_scoreinformed`: its scripts, under both names."""
