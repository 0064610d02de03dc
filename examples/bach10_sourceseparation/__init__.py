"""The name that the original's README gives to :mod:`examples.bach10_scoreinformed`: the scripts are there.

``separate_bach10``, the one that the README runs from here, forwards to it.
"""
