"""Theano: prepared, mended, and told which device to use."""
