# PYTHON_ARGCOMPLETE_OK
"""Compute the features of Bach10 with its scores: magnitudes of mixture and sources, and the notes of each source.

    python compute_features_bach10.py --db Bach10/Sources

Every piece has the scores <instrument>_g.txt (aligned) and <instrument>_b.txt (coarse). Beside <piece>__m_.data go the
note arrays <piece>__g_.data and <piece>__b_.data of these, and <piece>__e_.data: the coarse one, widened by 0.2 s.
Pieces that are finished are passed over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.features import command as features
from examples.bach10 import compute_features_bach10 as bach10
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import notes, recipe


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    parser = bach10.parser(__doc__)
    notes.add_flag(parser)
    args = features.parse(parser, argv)
    endings = data.SCORE_ENDINGS['gt'], recipe.TEST_ENDING
    return features.main(args, bach10.dataset(args.db, endings), notes.notes(args, notes.of_piece))


if __name__ == '__main__':
    command.run(main)
