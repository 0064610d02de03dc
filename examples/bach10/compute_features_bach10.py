"""Compute the features of Bach10: one file per piece, with the mixture, bassoon, clarinet, saxophone and violin.

    python compute_features_bach10.py --db Bach10/Sources

Files that are already there are kept, unless the sounds are newer.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import command, jobs
from deepconvsep.errors import InputError
from examples.bach10 import flags, generation, recipe

#: Seconds by which a stem may be shorter than the longest one; it is completed with silence.
TOLERANCE = 1.


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    parser = flags.parser(__doc__, 'compute_features_bach10.py', 'transforms/t3')
    parser.add_arg('--db', required=True, help='folder of the pieces, each with <piece>-<source>.wav')
    args = flags.parse(parser, argv, 'db')
    pieces = recipe.pieces(args.db)
    generation.prepare_stems_folder(args)
    outcomes = jobs.run(functools.partial(compute, args.db, args.feature_path, args.dtype), pieces, args.nprocs,
                        unit='piece', quiet=args.quiet)
    generation.report(outcomes, 'pieces')
    return jobs.summarize(outcomes)


def compute(db, feature_path, dtype, piece):
    """Compute the features of one piece, unless they are there; return which of the two it was, counted."""
    path = os.path.join(feature_path, piece + '.data')
    sounds = recipe.stem_paths(db, piece)
    if generation.is_current(path, sounds):
        return generation.Counter(kept=1)
    stems = recipe.read_stems(sounds)
    longest = max(map(len, stems))
    for sound, stem in zip(sounds, stems):
        if longest - len(stem) > TOLERANCE * recipe.SAMPLE_RATE:
            raise InputError('%s lasts %.3f s, expected %.3f s as the longest stem of %s: restore the one that is wrong'
                             % (sound, len(stem) / recipe.SAMPLE_RATE, longest / recipe.SAMPLE_RATE, piece))
    stems = [np.pad(stem, (0, longest - len(stem))) for stem in stems]
    recipe.transform().compute_transform(generation.with_mixture(stems), out_path=path, dtype=dtype)
    return generation.Counter(written=1)


if __name__ == '__main__':
    command.run(main)
