"""Separation: of streams, of sound files, of folders."""
