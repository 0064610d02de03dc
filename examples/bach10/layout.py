"""Where Bach10, Bach10 Sibelius and the RWC samples keep their files, as songs whose features are computed.

Bach10           ``<db>/<piece>/<piece>-<source>.wav``, scores ``<instrument>_g.txt`` (aligned) and ``_b.txt`` (coarse)
Bach10 Sibelius  ``<db>/<piece>/<piece>_<style>_<instrument>.wav``, scores ``<instrument>_g_<style>.txt``
RWC samples      ``<rwc>/wav/<instrument><musician>/<NAME>.WAV``, described by ``<rwc>/mat/<name>.wav.mat``
"""
import os

import numpy as np

import rwc
from deepconvsep.features.songs import Song, read_downmixed
from examples.bach10 import recipe

#: What the pieces of Bach10 are called; they lie in a folder of that name.
SUBSET = 'Sources'

#: Pieces of the published datasets.
PIECES = 10

#: Seconds by which a stem may be shorter than the longest one; it is completed with silence.
TOLERANCE = 1.

#: The same for stems that a notation program has written: each ends with its own last note.
RENDERED_TOLERANCE = 5.

#: Beside trees that synthesize.py made: how. They have any number of pieces.
SYNTHESIS = 'synthesis.json'


def expected(db, subsets):
    """How many pieces each subset has when it is complete."""
    own = os.path.exists(os.path.join(db, SYNTHESIS))
    return {subset: len(recipe.pieces(db)) if own else PIECES for subset in subsets}


def songs(db, endings=()):
    """The pieces of Bach10, with the scores of these endings; files that are missing are among theirs."""
    return [Song(piece, SUBSET, tuple(recipe.stem_paths(db, piece, check=False)), (1,), recipe.SAMPLE_RATE, TOLERANCE,
                 scores=tuple(path for ending in endings for path in score_paths(db, piece, ending)), longest=True)
            for piece in recipe.pieces(db)]


def sibelius_songs(db, styles):
    """The pieces of Bach10 Sibelius in these tempo styles; the first stem says how long a piece is."""
    return [Song(piece, style, tuple(recipe.sibelius_paths(db, piece, style, check=False)), (1,), recipe.SAMPLE_RATE,
                 RENDERED_TOLERANCE) for piece in recipe.pieces(db) for style in styles]


def scored_pieces(db, style):
    """The pieces that are played with samples: only scores, of one tempo style."""
    return [scored_piece(db, piece, style) for piece in recipe.pieces(db)]


def scored_piece(db, piece, style):
    """One of :func:`scored_pieces`."""
    return Song(piece, style, (), (1,), recipe.SAMPLE_RATE,
                scores=tuple(score_paths(db, piece, recipe.SCORE_ENDINGS[style])))


def score_paths(db, piece, ending):
    """The scores of the four instruments, whether they are there or not."""
    return recipe.score_paths(os.path.join(db, piece), ending, check=False)


def sample_songs(instruments):
    """The sound files of instruments, a "song" for each musician of each."""
    return [Song('%s %d' % (instrument.instrumentName, musician), 'samples',
                 tuple(sorted({note.wav_path for note in instrument.notes if note.case == musician})), (1, 2),
                 recipe.SAMPLE_RATE, np.inf)
            for instrument in instruments for musician in sorted({note.case for note in instrument.notes})]


#: Musicians of the four instruments.
EXPECTED_SAMPLES = {'samples': len(recipe.INSTRUMENTS) * len(rwc.CASES)}


def read(paths, length, size, settings):
    """The sum of the stems, then the stems; see :class:`deepconvsep.features.plan.Dataset`."""
    for stems in read_downmixed(paths, length, size, settings.sample_rate):
        yield np.hstack([stems.sum(axis=1, keepdims=True), stems])
