"""Compute the features of Bach10 with its scores: magnitudes of mixture and sources, and the notes of each source.

    python compute_features_bach10.py --db Bach10/Sources

Every piece has the scores <instrument>_g.txt (aligned) and <instrument>_b.txt (coarse). Beside <piece>__m_.data go the
note arrays <piece>__g_.data and <piece>__b_.data of these, and <piece>__e_.data: the coarse one, widened by 0.2 s.
Files that are already there are kept.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command, jobs
from deepconvsep.audio import mixture
from deepconvsep.features import tensors
from examples.bach10 import compute_features_bach10 as bach10
from examples.bach10 import flags, generation
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import notes, recipe

#: Seconds of a score that the original read.
LEGACY_LIMIT = 40.


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    parser = flags.parser(__doc__, 'compute_features_bach10.py', 'transforms/t3')
    parser.add_arg('--db', required=True, help='folder of the pieces, each with stems and scores')
    notes.add_flag(parser)
    args = flags.parse(parser, argv, 'db')
    pieces = data.pieces(args.db)
    settings = notes.prepare(args)
    generation.prepare_stems_folder(args)
    outcomes = jobs.run(functools.partial(compute, args, settings), pieces, args.nprocs, unit='piece', quiet=args.quiet)
    generation.report(outcomes, 'pieces')
    return jobs.summarize(outcomes)


def compute(args, settings, piece):
    """Compute magnitudes and notes of one piece, unless they are there; return a count as the score-free script's."""
    folder = os.path.join(args.db, piece)
    aligned, coarse = (data.read_scores(folder, ending) for ending in ('_g', '_b'))
    counts = bach10.compute(args.db, args.feature_path, args.dtype, piece)
    path = os.path.join(args.feature_path, piece + '.data')
    frames = tensors.describe_tensor(path, '__m_')[0][1]
    if args.legacy:
        with mixture.open_sound(data.stem_paths(args.db, piece)) as sound:
            frames = sound.frames // data.HOP_SIZE
    fermata = settings.score.fermata
    notes.write(path, {recipe.ALIGNED: (aligned, 0., 0.), recipe.COARSE: (coarse, 0., fermata),
                       recipe.WIDENED: (coarse, None, None)}, settings, frames,
                finish=LEGACY_LIMIT if args.legacy else None)
    return counts


if __name__ == '__main__':
    command.run(main)
