"""Stems of all pieces of Bach10 by one way to separate them, kept while what they are made from stays the same."""
import os

from deepconvsep import files
from examples import kept
from examples.bach10 import recipe


def separate_pieces(db, folder, describe, separate):
    """Separate the pieces into a folder, but those whose stems are there and would become the same.

    Parameters
    ----------
    db, folder : str
        The pieces; where the stems go, as ``<piece>-<source>.wav``. It is created.
    describe : callable
        ``describe(paths)``: what the stems of a piece are made from, as JSON can hold it; `paths` are its true stems.
    separate : callable
        ``separate(paths, outputs)`` writes the stems of the sum of `paths`.

    Yields
    ------
    list of str
        The stems of each piece that was separated.
    """
    files.make_folder(folder)
    for piece in recipe.pieces(db):
        paths = recipe.stem_paths(db, piece)
        outputs = [os.path.join(folder, '%s-%s.wav' % (piece, source)) for source in recipe.SOURCES]
        made_from = describe(paths)
        if not kept.is_current(outputs, made_from):
            separate(paths, outputs)
            kept.note(outputs, made_from)
            yield outputs
