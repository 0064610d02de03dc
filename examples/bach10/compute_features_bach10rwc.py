# PYTHON_ARGCOMPLETE_OK
"""Generate training data from scores and RWC instrument samples, with controlled factors, and compute its features.

    python compute_features_bach10rwc.py --db Sibelius --rwc RWC

Each source is played with one of 27 cases: time shift (0, 0.1, 0.2 s), dynamics (F, M, P) and musician (1, 2, 3); four
sources have 421200 combinations of different cases, of which --sample_size are drawn for each piece. With --original 0
the timing is that of the recordings: no time shifts, 9 cases, 3024 combinations, at most 50 for each piece.
Files that are finished are passed over; others that are there are brought up to date. Features go to
<feature_path>/<piece>/<style>/<piece>_t<time shifts in ms>_d<dynamics>_m<musicians>_<chunk>__m_.data
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command, jobs
from deepconvsep.errors import InputError, UsageError
from deepconvsep.features import command as features
from deepconvsep.features import folder
from deepconvsep.features.plan import measure, stale_files
from deepconvsep.features.songs import missing_files
from deepconvsep.score import read_score
from examples.bach10 import generation, layout, recipe, rendering

logger = command.get_logger('features')

#: With the timing of the recordings there are fewer combinations worth having.
LARGEST_SAMPLE_GT = 50


def main(argv=None):
    """Generate data by the flags `argv`; return the exit code."""
    return generate(parse(parser(__doc__), argv))


def parser(description):
    """The flags of the generation from instrument samples."""
    flags = features.parser('compute_features_bach10rwc.py', description.split('\n')[0], 'transforms/t3_rwc')
    flags.add_arg('--rwc', type=command.path, required=True, metavar='DIR',
                  help='folder of the instrument samples, with wav and mat')
    flags.add_arg('--chunk_size', type=command.positive_float, default=45., help='seconds of a file at most')
    flags.add_arg('--sample_size', type=command.positive_float, default=400., help='combinations for each piece')
    flags.add_arg('--original', type=command.switch, default=True,
                  help='1: timing of the score; 0: timing of the recordings')
    flags.add_arg('--seed', type=command.non_negative_int, default=0, help='of the draw of combinations')
    return flags


def parse(flags, argv):
    """Parse the command line, start logging, check what can be checked at once."""
    args = features.parse(flags, argv, 'rwc')
    if args.chunk_size < 1:
        raise UsageError('--chunk_size is %g, expected 1 or more seconds' % args.chunk_size)
    if args.sample_size < 1 or args.sample_size != int(args.sample_size):
        raise UsageError('--sample_size is %g, expected a whole number, 1 or more' % args.sample_size)
    return args


def generate(args, legacy=False, play=None, notes=None):
    """Check the scores and samples, or generate data by the parsed flags; return the exit code.

    Parameters
    ----------
    args : argparse.Namespace
    legacy : bool
        Whether `play` plays as the original did.
    play : callable, optional
        As of :func:`examples.bach10.rendering.compute`.
    notes : deepconvsep.features.making.Notes, optional
        What goes beside the features.
    """
    style = 'original' if args.original else 'gt'
    pieces = layout.scored_pieces(args.db, style)
    if args.validate:
        problems = []
        samples = layout.sample_songs(rendering.read_instruments(args.rwc, problems))
        return features.validate(args, 'Bach10 RWC', pieces + samples,
                                 dict(layout.expected(args.db, [style]), **layout.EXPECTED_SAMPLES), problems)
    samples = layout.sample_songs(rendering.instruments(args.rwc))
    for song in samples:
        _, problem = measure(song)
        if problem:
            raise InputError(problem)
    with features.hold(args.feature_path):
        anew = folder.check_record(
            args.feature_path, {'chunk_size': args.chunk_size, 'seed': args.seed, 'dtype': args.dtype,
                                **({'legacy': True} if legacy else {})},
            args.overwrite, recipe.RECORD, {'db': os.path.abspath(args.db), 'rwc': os.path.abspath(args.rwc)})
        plans, failed = make_plans(args, pieces, anew, legacy)
        work = functools.partial(rendering.compute, args.overwrite, play)
        return features.carry_out(args, work, plans, notes, failed, 'files', count=lambda plan: len(plan.paths),
                                  smaller='a smaller --sample_size, --float32')


def make_plans(args, pieces, anew, legacy):
    """The plans of all combinations of all pieces, and a jobs.Outcome of each piece that cannot be used.

    Combinations whose features are there, but which are not drawn now, are kept up to date, or removed if all is made
    `anew`.
    """
    plans, failed, left, planner = [], [], [], rendering.Planner(args, legacy)
    cases = generation.rwc_cases(recipe.TIME_SHIFTS if args.original else [0.])
    number = int(args.sample_size) if args.original else min(LARGEST_SAMPLE_GT, int(args.sample_size))
    if number < args.sample_size and 'sample_size' in args.given:
        logger.warning('--sample_size %d: with --original 0 at most %d combinations for each piece are made',
                       args.sample_size, number)
    for piece in pieces:
        try:
            missing = missing_files(piece)
            if missing:
                raise InputError('%s: %s is missing' % (piece, ', '.join(missing)))
            length = rendering.piece_length([read_score(path) for path in piece.scores], piece)
        except InputError as error:
            failed.append(jobs.Outcome(piece, error=command.one_line(error)))
            continue
        drawn = generation.draw(cases, number, args.seed, piece.name)
        others = [planner.plan(piece, length, combination) for combination in rendering.found(
            os.path.join(args.feature_path, piece.name, piece.subset), piece.name, cases) if combination not in drawn]
        plans += [planner.plan(piece, length, combination) for combination in drawn]
        if not anew:
            plans += others
            left += others
            continue
        for path in (path for plan in others for path in [*plan.paths, *stale_files(plan)]):
            folder.discard(path)
    if left:
        logger.warning('%d combinations of a former run, which are not among the --sample_size %d of now, stay in %s '
                       'and are trained on too, such as %s: remove them, or choose another --feature_path', len(left),
                       number, args.feature_path, left[0])
    return plans, failed


if __name__ == '__main__':
    command.run(main)
