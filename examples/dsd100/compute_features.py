# PYTHON_ARGCOMPLETE_OK
"""Compute the features of DSD100 or MUSDB18-HQ: for each block of 30 s the mixture, vocals, bass, drums and other.

    python compute_features.py --db DSD100

Writes <feature_path>/<song>_<k>__m_.data and .shape; those of Test songs go to <feature_path>/Test, so that training
on <feature_path> does not see them. Songs that are finished are passed over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.features import command as features
from deepconvsep.features import making
from deepconvsep.features.plan import Dataset
from examples.dsd100 import layout, recipe

BLOCK_SECONDS = 30

FOLDERS = {'Test': 'Test'}


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    flags = features.parser('compute_features.py', __doc__.split('\n')[0])
    flags.add_arg('--subset', choices=layout.SUBSETS + ('both',), default='Dev',
                  help='which songs; Dev is train in MUSDB18-HQ')
    args = features.parse(flags, argv)
    subsets = layout.SUBSETS if args.subset == 'both' else (args.subset,)
    name = layout.dataset_name(args.db)
    return features.main(args, Dataset(
        name, recipe.SETTINGS, tuple(layout.songs(args.db, subsets)),
        {subset: layout.COUNTS[name][subset] for subset in subsets}, making.read_downmixed, BLOCK_SECONDS,
        FOLDERS, args.db))


if __name__ == '__main__':
    command.run(main)
