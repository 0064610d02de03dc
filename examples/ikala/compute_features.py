# PYTHON_ARGCOMPLETE_OK
"""Compute the features of iKala: for each clip the mixture, the voice and the accompaniment.

    python compute_features.py --db iKala

Writes <feature_path>/<clip>__m_.data and .shape. Clips that are finished are passed over. With --variants there are
so many variants of each clip besides, <clip>_v<number>__m_.data, to train on more than what was recorded.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.errors import UsageError
from deepconvsep.features import command as features
from deepconvsep.features.plan import Dataset
from examples.ikala import layout, recipe, variants


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    flags = features.parser('compute_features.py', __doc__.split('\n')[0])
    flags.add_arg('--variants', type=command.non_negative_int, default=0, help='variants of each clip besides')
    flags.add_arg('--ways', nargs='+', choices=variants.WAYS, default=list(variants.WAYS),
                  help='what they change: each source\'s gain, up to %g dB; where in the song the voice is from; the '
                       'pitch, up to a semitone' % variants.GAIN)
    flags.add_arg('--seed', type=command.non_negative_int, default=0, help='of the variants')
    args = features.parse(flags, argv)
    idle = [name for name in ('ways', 'seed') if name in args.given and not args.variants]
    if idle:
        raise UsageError('--%s is for --variants: give both, or leave it out' % idle[0])
    clips = layout.clips(args.db)
    count = 0 if args.validate else args.variants
    ways = [way for way in variants.WAYS if way in args.ways]
    return features.main(args, Dataset(
        'iKala', recipe.SETTINGS, tuple(clips + variants.songs(clips, count, ways, args.seed)),
        {layout.FOLDER: layout.count(args.db) * (1 + count)}, layout.read, db=args.db,
        further={'variants': {'ways': ways, 'seed': args.seed}} if count else {}),
        tidy=functools.partial(variants.remove_beyond, args.feature_path, clips, count, args.overwrite))


if __name__ == '__main__':
    command.run(main)
