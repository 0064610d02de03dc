"""What the evaluation programs share: flags, the way from tracks to records, the table."""
import functools
import importlib.util
import os

from deepconvsep import command, files, jobs
from deepconvsep.errors import InputError
from deepconvsep.metrics import projection, records, stems, tables

logger = command.get_logger('evaluation')

SHOWN = 20   # problems listed one by one


def parser(description, db, estimates, output, estimates_required=True):
    """A parser with the flags that all programs have; `db`, `estimates` and `output` are help texts."""
    flags = command.Parser(description=description)
    flags.add_arg('--db', type=command.path, required=True, metavar='FOLDER', help=db)
    flags.add_arg('--estimates', type=command.path, required=estimates_required, metavar='FOLDER', help=estimates)
    flags.add_arg('--output', type=command.path, metavar='FOLDER', help=output)
    flags.add_arg('--method', nargs='+', default=[], metavar='NAME', help='only these methods')
    flags.add_arg('--id', nargs='+', default=[], type=command.positive_int, metavar='N',
                  help='only these tasks, numbered from 1 as in the original: all tracks of the first method, then '
                       'those of the second, ...')
    flags.add_arg('--allow_missing', action='store_true',
                  help='leave out tracks with missing or unreadable files, and files of no track, and count them')
    flags.add_arg('--overwrite', action='store_true', help='evaluate finished tracks again')
    flags.add_arg('--v4', action='store_true', help='BSS Eval 4 besides, by museval (1 s windows); slow')
    flags.add_arg('--nprocs', type=command.positive_int, default=1, help='tracks evaluated at the same time')
    flags.add_arg('--scheduler', metavar='ADDRESS', help='send the tracks to a Dask cluster, tcp://host:8786')
    flags.add_arg('--quiet', action='store_true', help='no progress bar')
    return flags


def results_folder(args, method, folders):
    """Where the results of a method go: its sub-folder of `--output`, or its folder of estimates."""
    return os.path.join(args.output, method) if args.output else folders[method]


def choose(tasks, ids):
    """The tasks with the given numbers (from 1), or all.

    Raises
    ------
    InputError
        When a number is higher than there are tasks.
    """
    if ids and max(ids) > len(tasks):
        raise InputError('--id %d is too high: there are %d tasks (tracks x methods)' % (max(ids), len(tasks)))
    return [tasks[index - 1] for index in dict.fromkeys(ids)] if ids else tasks


def evaluate_all(tracks, folders, names, key, evaluate, settings, args):
    """Pair, evaluate, write the records.

    Parameters
    ----------
    tracks : list of stems.Track
        Those that are wanted, without estimates.
    folders : dict
        Folder of estimates by method.
    names, key
        As :func:`stems.pair`.
    evaluate : callable
        Takes a Track and the settings, returns (facts, targets, mat) for :func:`records.write`.
    settings : dict
        What decides the scores.
    args : argparse.Namespace

    Returns
    -------
    groups : dict
        Records by (method, subset).
    code : int

    Raises
    ------
    InputError
        When there is nothing to evaluate, or when files have problems and `--allow_missing` is not given.
    """
    command.enable_default_logging()
    complete, problems, expected = [], [], 0
    for method, folder in folders.items():
        mine = [track for track in tracks if track.method == method]
        if mine:
            paired, wrong, count = stems.pair(mine, folder, names, key)
            complete, problems, expected = complete + paired, problems + wrong, expected + count
    for problem in problems[:SHOWN]:
        logger.warning('%s', command.one_line(problem))
    if problems and not args.allow_missing:
        raise InputError('%s%s: correct the folders, or leave out and count with --allow_missing'
                         % (problems[0], ' (and %d more)' % (len(problems) - 1) if len(problems) > 1 else ''))
    warn_of_old(tracks, complete)
    if not complete:
        raise InputError('there is no track to evaluate in %s' % (args.estimates or args.db))
    if args.v4:
        _museval()   # fails now rather than after the first track
    for track in complete:
        files.make_folder(os.path.dirname(track.results))
    settings = dict(settings, filter_length=projection.FILTER_LENGTH, v4=args.v4)
    work = functools.partial(evaluate_track, evaluate=evaluate, settings=settings, overwrite=args.overwrite)
    outcomes = jobs.run(work, [track.absolute() for track in complete], nprocs=args.nprocs,
                        scheduler=args.scheduler, unit='track', quiet=args.quiet)
    groups, done = {}, 0
    for outcome in outcomes:
        if outcome.error is None:
            done += 1
            groups.setdefault((outcome.result['method'], outcome.result['subset']), []).append(outcome.result)
    print('tracks: %d expected, %d evaluated, %d left out, %d failed; problems with files: %d'
          % (expected, done, expected - len(complete), len(complete) - done, len(problems)))
    return groups, jobs.summarize(outcomes)


def warn_of_old(tracks, complete):
    """Say which of the tracks are left out now, but have results of an earlier run, which plots would show."""
    evaluated = {track.results for track in complete}
    old = [track.results + '.json' for track in tracks
           if track.results not in evaluated and os.path.exists(track.results + '.json')]
    if old:
        logger.warning('%s is of stems that are left out now%s: remove it, or plots and tables of this folder show '
                       'it too', old[0], ' (and %d more)' % (len(old) - 1) if len(old) > 1 else '')


def evaluate_track(track, evaluate, settings, overwrite):
    """The record of one track: an earlier one if nothing has changed, else a new one."""
    inputs = stems.fingerprints(track)
    record = None if overwrite else records.finished(track, settings, inputs)
    if record is None:
        stamps = stems.stamps(track)
        facts, targets, mat = evaluate(track, settings)
        record = records.write(track, settings, inputs, dict(facts, files=stamps), targets, mat)
    return record


def note_order(perm, sources):
    """A note when the permutation scored a source on the estimate of another one."""
    if list(perm) == list(range(len(perm))):
        return []
    return ['estimates were reordered by their SIR, as the original does: %s'
            % ', '.join('%s is scored on %s' % (source, sources[estimate])
                        for source, estimate in zip(sources, perm))]


def print_table(title, rule, tracks):
    """Print the rule, the notes, and median and mean over tracks of every score, for `--v4` too."""
    print('\n%s: %d tracks' % (title, len(tracks)))
    print('rule: %s' % rule)
    for note, count in _notes(tracks):
        print('note (%d tracks): %s' % (count, note))
    for line in tables.reasons(tracks):
        print(line)
    _print_rows(tables.summarize(tracks))
    if any(record.get('v4') for record in tracks):
        print('BSS Eval 4 (museval): windows of 1 s, one filter for the whole track; mean over windows, then over '
              'tracks')
        _print_rows(tables.summarize(tracks, 'v4'))


def _notes(tracks):
    counts = {}
    for record in tracks:
        for note in record['notes']:
            counts[note] = counts.get(note, 0) + 1
    return sorted(counts.items())


def _print_rows(rows):
    print(tables.layout(['target', 'score', 'median', 'mean', 'sd', 'tracks', 'windows', 'NaN', 'inf'],
                        [list(row.values()) for row in rows]))


def silent(signals):
    """Whether each of the signals, (nsrc, ...), is zero throughout."""
    return [not signal.any() for signal in signals]


def v4_scores(targets, references, estimates, rate):
    """Scores of BSS Eval 4 by museval: windows of 1 s, filters of the whole track, no permutation.

    Parameters
    ----------
    targets : sequence of str
        Names of the first sources; the scores of any others are not given.
    references, estimates : ndarray, (nsrc, nsamples, nchannels)
    rate : int

    Returns
    -------
    dict
        By target, as :func:`records.describe`.

    Raises
    ------
    InputError
        When museval is not installed.
    """
    metrics = _museval()
    whole = silent(references), silent(estimates)
    if any(whole[0]) or any(whole[1]):
        # museval scores nothing when one of the sources is silent throughout
        missing = {measure: [float('nan')] for measure in records.MEASURES}
        return {target: records.describe(missing, [reference], [estimate], otherwise='another source is silent')
                for target, reference, estimate in zip(targets, *whole)}
    sdr, isr, sir, sar, _ = metrics.bss_eval(references, estimates, window=rate, hop=rate)
    windows = range(sdr.shape[1])
    described = {}
    for index, target in enumerate(targets):
        quiet = [[not signal[index, rate * window:rate * (window + 1)].any() for window in windows]
                 for signal in (references, estimates)]
        described[target] = records.describe(
            {measure: values[index] for measure, values in zip(records.MEASURES, (sdr, isr, sir, sar))}, *quiet,
            otherwise='another source is silent')
    return described


def _museval():
    """The module museval.metrics alone: the package itself does not import without ffmpeg, which this does not need."""
    package = importlib.util.find_spec('museval')
    if package is None:
        raise InputError('--v4 needs the package museval, which is not installed: pip install museval==0.4.1')
    path = os.path.join(package.submodule_search_locations[0], 'metrics.py')
    spec = importlib.util.spec_from_file_location('museval_metrics', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
