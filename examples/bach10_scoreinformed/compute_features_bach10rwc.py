"""Generate training data from scores and RWC instrument samples, and compute its features and notes.

    python compute_features_bach10rwc.py --db Sibelius --rwc RWC

The sounds and their features are those of examples/bach10/compute_features_bach10rwc.py, with its flags; features that
it has made are used. Beside them go the notes that were played, <name>__g_.data, and <name>__e_.data, the same widened
by 0.2 s as for a score that is not exactly aligned.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import command
from deepconvsep.features import tensors
from deepconvsep.score.guide import note_array
from examples.bach10 import compute_features_bach10rwc as bach10rwc
from examples.bach10 import generation
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import notes, recipe


def main(argv=None):
    """Generate data by the flags `argv`; return the exit code."""
    parser = bach10rwc.parser(__doc__)
    notes.add_flag(parser)
    return bach10rwc.generate(argv, parser, compute, notes.prepare, legacy=False)


def compute(args, item):
    """Features of the chunks of one combination, and their notes, unless they are there; return a count."""
    piece, combination = item
    settings = recipe.LEGACY_SETTINGS if args.legacy else recipe.SETTINGS
    counts = bach10rwc.compute(args, item, functools.partial(render_frames, settings) if args.legacy else None)
    scores = bach10rwc.scores_of(args, piece)
    chunks = bach10rwc.cut(bach10rwc.piece_length(scores, piece), args.chunk_size)
    for path, (begin, end) in zip(bach10rwc.chunk_paths(args, piece, combination, chunks), chunks):
        if tensors.is_finished(path, '__m_'):
            frames = tensors.describe_tensor(path, '__m_')[0][1]
            notes.write(path, kinds(scores, combination, settings), settings, frames,
                        begin / data.SAMPLE_RATE, end / data.SAMPLE_RATE)
    return counts


def kinds(scores, combination, settings):
    """What :func:`notes.write` is to write: notes as they are played, and with the tolerance of an alignment."""
    shifts = np.array([case.time_shift for case in combination])
    return {recipe.ALIGNED: (scores, shifts, 0.),
            recipe.WIDENED: (scores, shifts + settings.score.tolerance, shifts + settings.score.fermata)}


def render_frames(settings, scores, samples, combination, length, begin=0.):
    """Play a stretch of a piece as the original did: notes begin and end with frames, and silence the one before.

    Parameters and returned values as of :func:`examples.bach10.compute_features_bach10rwc.render`; the result is
    shorter by the largest time shift.
    """
    shifts = [case.time_shift for case in combination]
    finish = begin + length / data.SAMPLE_RATE
    rows = note_array(scores, settings, begin=begin, finish=finish, before=shifts, fermata=0.)
    length -= int(max(shifts) * data.SAMPLE_RATE)
    played = []
    for own, instrument, case in zip(rows, samples, combination):
        events = [generation.Event(int(row[0]) * data.HOP_SIZE, (row[1] - row[0]) * data.HOP_SIZE / data.SAMPLE_RATE,
                                   int(row[2])) for row in own if row[2] > 0]
        played.append(generation.play(events, instrument, case, length, legacy=True))
    return generation.with_mixture([signal for signal, _ in played]), [each for _, lost in played for each in lost]


if __name__ == '__main__':
    command.run(main)
