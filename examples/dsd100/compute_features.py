"""Compute the features of DSD100 or MUSDB18-HQ: for each block of 30 s the mixture, vocals, bass, drums and other.

    python compute_features.py --db DSD100

Writes <feature_path>/<song>_<k>__m_.data and .shape; those of Test songs go to <feature_path>/Test, so that training
on <feature_path> does not see them. Songs that are finished are passed over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.features import program
from examples.dsd100 import layout, recipe

BLOCK_SECONDS = 30

FOLDERS = {'Test': 'Test'}


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    flags = program.parser('compute_features.py', __doc__.split('\n')[0])
    flags.add_arg('--subset', choices=layout.SUBSETS + ('both',), default='Dev',
                  help='which songs; Dev is train in MUSDB18-HQ')
    args = program.parse(flags, argv)
    subsets = layout.SUBSETS if args.subset == 'both' else (args.subset,)
    name = layout.dataset_name(args.db)
    return program.main(args, program.Dataset(
        name, recipe.SETTINGS, tuple(layout.songs(args.db, subsets)),
        {subset: layout.COUNTS[name][subset] for subset in subsets}, program.read_downmixed, BLOCK_SECONDS,
        FOLDERS))


if __name__ == '__main__':
    command.run(main)
