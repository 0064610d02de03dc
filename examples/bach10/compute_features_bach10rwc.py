"""Generate training data from scores and RWC instrument samples, with controlled factors, and compute its features.

    python compute_features_bach10rwc.py --db Sibelius --rwc RWC

Each source is played with one of 27 cases: time shift (0, 0.1, 0.2 s), dynamics (F, M, P) and musician (1, 2, 3); four
sources have 421200 combinations of different cases, of which --sample_size are drawn for each piece. With --original 0
the timing is that of the recordings: no time shifts, 9 cases, 3024 combinations, at most 50 for each piece.
Files that are already there are kept. Features go to
<feature_path>/<piece>/<style>/<piece>_t<time shifts in ms>_d<dynamics>_m<musicians>_<chunk>__m_.data
"""
import functools
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

import rwc
from deepconvsep import command, jobs
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.files import make_folder
from deepconvsep.score import cut_notes
from examples.bach10 import flags, generation, recipe

#: With the timing of the recordings there are fewer combinations worth having.
LARGEST_SAMPLE_GT = 50


def main(argv=None):
    """Generate data by the flags `argv`; return the exit code."""
    return generate(argv, parser(__doc__), compute)


def parser(description):
    """The flags of the generation from instrument samples."""
    parser = flags.parser(description, 'compute_features_bach10rwc.py', 'transforms/t3_rwc')
    parser.add_arg('--db', required=True, help='folder of the pieces, each with scores <source>_g_original.txt')
    parser.add_arg('--rwc', required=True, help='folder of the instrument samples, with wav and mat')
    parser.add_arg('--chunk_size', type=command.positive_float, default=45., help='seconds of a file at most')
    parser.add_arg('--sample_size', type=command.positive_float, default=400., help='combinations for each piece')
    parser.add_arg('--original', type=command.switch, default=True,
                   help='1: timing of the score; 0: timing of the recordings')
    parser.add_arg('--seed', type=command.non_negative_int, default=0, help='of the draw of combinations')
    return parser


def generate(argv, made, work, prepare=None, **defaults):
    """Generate data by the flags `argv` of the parser `made`; return the exit code.

    Parameters
    ----------
    work : callable
        As :func:`compute`.
    prepare : callable, optional
        Called with the flags when they have been checked.
    **defaults
        Further flags that the features depend on, with the values for which they are the same as without.
    """
    args = flags.parse(made, argv, 'db', 'rwc')
    if args.chunk_size < 1 or args.sample_size < 1:
        made.error('--chunk_size %g, --sample_size %g: expected 1 or more' % (args.chunk_size, args.sample_size))
    cases = generation.rwc_cases(recipe.TIME_SHIFTS if args.original else [0.])
    number = int(args.sample_size) if args.original else min(LARGEST_SAMPLE_GT, int(args.sample_size))
    instruments(args.rwc)
    generation.prepare_folder(args.feature_path, {
        'db': os.path.abspath(args.db), 'rwc': os.path.abspath(args.rwc), 'chunk_size': args.chunk_size,
        'seed': args.seed, 'dtype': args.dtype,
        **{name: getattr(args, name) for name, default in defaults.items() if getattr(args, name) != default}})
    if prepare:
        prepare(args)
    items, seconds = [], 0.
    for piece in recipe.pieces(args.db):
        length = piece_length(scores_of(args, piece), piece)
        combinations = generation.draw(cases, number, args.seed, piece)
        items += [(piece, combination) for combination in combinations]
        seconds += length * len(combinations)
        make_folder(os.path.join(args.feature_path, piece, style_of(args)))
    generation.check_space(args.feature_path, seconds, args.dtype)
    outcomes = jobs.run(functools.partial(work, args), items, args.nprocs, unit='combination', quiet=args.quiet)
    generation.report(outcomes, 'files')
    return jobs.summarize(outcomes)


@functools.lru_cache(maxsize=1)
def instruments(path):
    """The four instruments; read once, before the processes are started."""
    return [rwc.Instrument(path, rwc.INSTRUMENTS[name], list(recipe.STYLES), list(recipe.MUSICIANS),
                           list(recipe.DYNAMICS)) for name in recipe.INSTRUMENTS]


def piece_length(scores, piece):
    """Seconds to the end of the last note."""
    length = max((note.offset for notes in scores for note in notes), default=0.)
    if not length:
        raise InputError('%s: its scores hold no notes' % piece)
    return length


def style_of(args):
    """The timing that the flags ask for, as features and scores are called."""
    return 'original' if args.original else 'gt'


def scores_of(args, piece):
    """The scores of a piece with that timing: a list of notes for each source."""
    return recipe.read_scores(os.path.join(args.db, piece), recipe.SCORE_ENDINGS[style_of(args)])


def chunk_paths(args, piece, combination, chunks):
    """Where the features of the chunks of a combination go, without tag."""
    name = '%s_%s' % (piece, generation.describe(combination))
    return [os.path.join(args.feature_path, piece, style_of(args), '%s_%d.data' % (name, number))
            for number in range(len(chunks))]


def compute(args, item, play=None):
    """Play one combination of one piece and compute the features of its chunks, unless they are there.

    Parameters
    ----------
    args : argparse.Namespace
    item : (str, tuple of generation.Case)
        Piece and combination.
    play : callable, optional
        In place of :func:`render`, for one chunk after the other.

    Returns
    -------
    collections.Counter
        Chunks that were ``'written'``, ``'kept'``, or left out, by reason: a sample is missing.
    """
    piece, combination = item
    scores = scores_of(args, piece)
    chunks = cut(piece_length(scores, piece), args.chunk_size)
    paths = chunk_paths(args, piece, combination, chunks)
    counts = generation.Counter(kept=sum(tensors.is_finished(path, '__m_') for path in paths))
    if counts['kept'] == len(paths):
        return counts
    samples = instruments(args.rwc)
    if not play:
        whole, lost = render(scores, samples, combination, chunks[-1][1])
    for (begin, end), path in zip(chunks, paths):
        if tensors.is_finished(path, '__m_'):
            continue
        if play:
            signals, missing = play(scores, samples, combination, end - begin, begin / recipe.SAMPLE_RATE)
        else:
            signals = whole[begin:end]
            missing = [(event, reason) for event, reason in lost
                       if event.start < end and event.start + event.duration * recipe.SAMPLE_RATE > begin]
        if not missing:
            recipe.transform().compute_transform(signals, out_path=path, dtype=args.dtype)
        counts[missing[0][1] if missing else 'written'] += 1
    return counts


def cut(length, chunk_size):
    """First and last + 1 sample of the chunks of a piece; the last is shorter, but at least one second long.

    >>> cut(100., 45.), cut(90.5, 45.)
    ([(0, 1984500), (1984500, 3969000), (3969000, 4410000)], [(0, 1984500), (1984500, 3991050)])
    """
    end = math.ceil(length * recipe.SAMPLE_RATE)
    size = int(chunk_size * recipe.SAMPLE_RATE)
    starts = list(range(0, end, size))
    if len(starts) > 1 and end - starts[-1] < recipe.SAMPLE_RATE:
        starts.pop()
    return list(zip(starts, starts[1:] + [end]))


def render(scores, samples, combination, length, begin=0., legacy=False):
    """Play a piece, or a stretch of it.

    Parameters
    ----------
    scores : list of list of score.Note
        One list a source.
    samples : list of rwc.Instrument
    combination : tuple of generation.Case
    length : int
        Samples.
    begin : float
        Seconds.
    legacy : bool
        As the original: a note silences the one before it where they overlap, times are rounded to float32, and the
        result is shorter by the largest time shift.

    Returns
    -------
    signals : numpy.ndarray
        float64, (length, 1 + sources): mixture and sources.
    missing : list of (generation.Event, str)
        Notes that there are no samples of, and which.
    """
    seconds = length / recipe.SAMPLE_RATE
    if legacy:
        scores = [[note._replace(onset=float(np.float32(note.onset)), offset=float(np.float32(note.offset)))
                   for note in notes] for notes in scores]
        length -= int(max(case.time_shift for case in combination) * recipe.SAMPLE_RATE)
    played = []
    for notes, instrument, case in zip(scores, samples, combination):
        events = generation.widened(cut_notes(notes, begin, begin + seconds), case.time_shift, seconds)
        played.append(generation.play(events, instrument, case, length, legacy))
    return generation.with_mixture([signal for signal, _ in played]), [each for _, lost in played for each in lost]


if __name__ == '__main__':
    command.run(main)
