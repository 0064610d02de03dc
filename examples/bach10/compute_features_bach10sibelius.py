# PYTHON_ARGCOMPLETE_OK
"""Compute the features of Bach10 Sibelius: synthesized stems, delayed against each other.

    python compute_features_bach10sibelius.py --db Sibelius --gt 0

With --gt 1 the renderings with the timing of the recordings, as they are; with --gt 0 those with the timing of the
score in three tempi, in each of 78 ways to delay the sources by 0, 0.1 and 0.2 s, or in --sample_size of them, drawn by
seed for each piece and tempo. Files that are finished are passed over; others that are there are brought up to date.
Features go to <feature_path>/<style>/<piece>_t<delays in ms>__m_.data
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command, jobs
from deepconvsep.features import command as features
from deepconvsep.features import folder
from deepconvsep.features.plan import measure
from examples.bach10 import delays, generation, layout, recipe


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    flags = features.parser('compute_features_bach10sibelius.py', __doc__.split('\n')[0],
                            'transforms/t3_synth_aug_more')
    flags.add_arg('--gt', type=command.switch, default=True, help='1: style gt; 0: styles fast, slow, original')
    flags.add_arg('--sample_size', type=command.positive_int, default=None,
                  help='ways to delay the sources, of each piece in each tempo (default: all 78)')
    flags.add_arg('--seed', type=command.non_negative_int, default=0, help='of the draw of ways')
    args = features.parse(flags, argv)
    styles = ['gt'] if args.gt else recipe.TEMPI
    songs = layout.sibelius_songs(args.db, styles)
    if args.validate:
        return features.validate(args, 'Bach10 Sibelius', songs, layout.expected(args.db, styles))
    with features.hold(args.feature_path):
        anew = folder.check_record(args.feature_path, {'dtype': args.dtype, 'seed': args.seed}, args.overwrite,
                                   recipe.RECORD, {'db': os.path.relpath(args.db, args.feature_path)})
        plans, failed = make_plans(args, songs, anew)
        return features.carry_out(args, functools.partial(delays.compute, args.overwrite), plans, failed=failed,
                                  unit='files', count=lambda plan: len(plan.paths),
                                  smaller='a smaller --sample_size, --float32')


def make_plans(args, songs, anew):
    """The plans of all songs, and a jobs.Outcome of each that cannot be used.

    Ways whose features are there, but which are not drawn now, are kept up to date, or removed if all is made `anew`.
    """
    plans, failed = [], []
    ways = generation.delays([0.] if args.gt else recipe.TIME_SHIFTS)
    number = min(args.sample_size or len(ways), len(ways))
    for song in songs:
        length, problem = measure(song)
        if problem:
            failed.append(jobs.Outcome(song, error=problem))
            continue
        drawn = delays.draw(ways, number, args.seed, song.name, song.subset)
        others = [way for way in delays.found(os.path.join(args.feature_path, song.subset), song.name, ways)
                  if way not in drawn]
        if anew:
            for path in delays.plan(args, song, length, others).paths:
                folder.discard(path)
        plans.append(delays.plan(args, song, length, drawn + others * (not anew)))
    return plans, failed


if __name__ == '__main__':
    command.run(main)
