# PYTHON_ARGCOMPLETE_OK
"""Compute the features of Bach10: one file per piece, with the mixture, bassoon, clarinet, saxophone and violin.

    python compute_features_bach10.py --db Bach10/Sources

Writes <feature_path>/<piece>__m_.data and .shape. Pieces that are finished are passed over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.features import command as features
from deepconvsep.features.plan import Dataset
from examples.bach10 import layout, recipe


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    args = features.parse(parser(__doc__), argv)
    return features.main(args, dataset(args.db))


def parser(description):
    """The flags of both scripts that compute the features of Bach10."""
    return features.parser('compute_features_bach10.py', description.split('\n')[0], 'transforms/t3')


def dataset(db, endings=()):
    """Bach10, with the scores of these endings."""
    return Dataset('Bach10', recipe.SETTINGS, tuple(layout.songs(db, endings)), layout.expected(db, [layout.SUBSET]),
                   layout.read, db=db, record=recipe.RECORD, recorded=('dtype',))


if __name__ == '__main__':
    command.run(main)
