"""Compute the features of iKala: for each clip the mixture, the voice and the accompaniment.

    python compute_features.py --db iKala

Writes <feature_path>/<clip>__m_.data and .shape. Clips that are finished are passed over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.features import command as features
from deepconvsep.features.plan import Dataset
from examples.ikala import layout, recipe


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    args = features.parse(features.parser('compute_features.py', __doc__.split('\n')[0]), argv)
    return features.main(args, Dataset(
        'iKala', recipe.SETTINGS, tuple(layout.clips(args.db)), {layout.FOLDER: layout.count(args.db)}, layout.read,
        db=args.db))


if __name__ == '__main__':
    command.run(main)
