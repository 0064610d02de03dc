"""What the scripts that compute features share: flags, the check of a dataset, parallel work, the summary."""
import argparse
import functools
import os
from collections import Counter

import numpy as np

from deepconvsep import command, files, jobs, lock, process
from deepconvsep.errors import InputError
from deepconvsep.features import folder, making, songs
from deepconvsep.features.plan import clear, is_finished, make_plans
from deepconvsep.features.tensors import MAGNITUDES, tagged

logger = command.get_logger('features')


# --- flags --------------------------------------------------------------------------------------------

def parser(prog, description, default='transforms/t1'):
    """The flags that all scripts have; `default` is that of --feature_path, below the dataset."""
    flags = command.Parser(prog=prog, description=description)
    flags.add_arg('--db', type=command.path, required=True, metavar='DIR', help='folder of the dataset')
    flags.add_arg('--feature_path', type=command.path, metavar='DIR', default='<db>/' + default,
                  help='folder for the features')
    flags.add_arg('--nprocs', type=command.positive_int, default=process.spare_cores(),
                  help='number of processes, each of which takes a song at a time')
    flags.add_arg('--scheduler', metavar='ADDRESS', default=None,
                  help='work on the Dask cluster of this scheduler, such as tcp://host:8786, instead')
    kinds = flags.add_mutex()
    kinds.add_argument('--dtype', choices=['float64', 'float32'], default='float64',
                       help='of the features: float64 as in the original, or float32 for half the size')
    kinds.add_argument('--float32', dest='dtype', action='store_const', const='float32', default=argparse.SUPPRESS,
                       help='the same as --dtype float32')
    flags.add_arg('--validate', action='store_true',
                  help='compute nothing: read the whole dataset and list what is missing and what is damaged')
    flags.add_arg('--overwrite', action='store_true', help='compute again what is finished')
    flags.add_arg('--quiet', action='store_true', help='no progress, only warnings and errors')
    return flags


def parse(flags, argv, *folders):
    """Parse the command line, start the logging, check that the dataset, --db and other `folders`, is there."""
    args = flags.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    for name in ('db', *folders):
        if not os.path.isdir(getattr(args, name)):
            raise InputError('--%s %s is not a folder, expected that of the dataset' % (name, getattr(args, name)))
    args.feature_path = args.feature_path.replace('<db>', args.db, 1)
    return args


# --- the work -----------------------------------------------------------------------------------------

def validate(args, name, found, expected, problems=()):
    """Check a whole dataset by the parsed flags: the exit code; arguments as of :func:`songs.report`."""
    return songs.report(name, found, expected, args.nprocs, args.scheduler, args.quiet, problems)


def main(args, dataset, notes=None, tidy=None):
    """Check a dataset, or compute its features, by the parsed flags.

    Songs whose features are finished are passed over; a song that fails is named and does not stop the others.

    Parameters
    ----------
    args : argparse.Namespace
    dataset : deepconvsep.features.plan.Dataset
    notes : deepconvsep.features.making.Notes, optional
        What goes beside the features.
    tidy : callable, optional
        Removes what is not made any more, or raises InputError; called without arguments when the folder is held.

    Returns
    -------
    int
        The exit code: 0, or 1 when a song failed or, with --validate, anything is missing or damaged.

    Raises
    ------
    InputError
        When there are no songs, when the folder holds features that were made with other settings, when another
        program is filling it, or when the disk has no room.
    """
    if args.validate:
        return validate(args, dataset.name, dataset.songs, dataset.expected)
    for subset, number in dataset.expected.items():
        found = sum(song.subset == subset for song in dataset.songs)
        if not found:
            raise InputError('%s holds no songs of the subset %s of %s: see --validate'
                             % (args.db, subset, dataset.name))
        logger.info('%s %s: %d of %d songs', dataset.name, subset, found, number)
    with hold(args.feature_path):
        plans, failed = make_plans(dataset, args.feature_path, args.dtype)
        if tidy is not None:
            tidy()
        folder.check_record(args.feature_path, dataset.describe_folder(args.dtype), args.overwrite, dataset.record,
                            {'db': os.path.relpath(args.db, args.feature_path)})
        work = functools.partial(making.compute, dataset.read, dataset.settings, args.overwrite)
        return carry_out(args, work, plans, notes, failed)


def hold(feature_path):
    """Make the feature folder and hold it, as :func:`deepconvsep.lock.hold`.

    Another program would clear it of what this one is writing.
    """
    files.make_folder(feature_path)
    return lock.hold(os.path.join(feature_path, 'lock.json'), '%s is being filled' % feature_path,
                     'choose another --feature_path')


def carry_out(args, work, plans, notes=None, failed=(), unit='songs', count=lambda plan: 1, smaller='--float32'):
    """Work on the plans that are not finished, in a folder of which there is :func:`hold`; return the exit code.

    Parameters
    ----------
    args : argparse.Namespace
    work : callable
        Takes a plan and returns a `Counter` as :func:`conclude` wants it; as :func:`deepconvsep.jobs.run` wants it.
    plans : list of deepconvsep.features.plan.Plan
    notes : deepconvsep.features.making.Notes, optional
        What goes beside the features.
    failed : list of jobs.Outcome
        What could not even be planned.
    unit : str
        What `work` counts, in the plural.
    count : callable
        How many of them a plan has.
    smaller : str
        What is advised when the disk has no room.

    Raises
    ------
    InputError
        When the disk has no room, or the notes there are made in another way.
    """
    if notes is not None:
        folder.check_record(args.feature_path, notes.settings, args.overwrite, notes.record)
    # what only a look into its files can tell is left to the processes
    todo = [plan for plan in plans if args.overwrite or not is_finished(plan, notes, read=False)]
    check_space(args.feature_path, todo, smaller)
    for plan in todo:
        clear(plan)
    outcomes = run(args, functools.partial(making.with_notes, work, notes), todo, 'song')
    finished = jobs.Outcome(None, Counter(kept=sum(map(count, plans)) - sum(map(count, todo))))
    return conclude([*failed, *outcomes, finished], unit, args.feature_path)


def run(args, work, items, unit):
    """:func:`deepconvsep.jobs.run` by the parsed flags."""
    return jobs.run(work, items, args.nprocs, args.scheduler, unit=unit, quiet=args.quiet)


def check_space(place, plans, smaller='--float32'):
    """Raise InputError, which advises `smaller`, when the disk has no room for the features."""
    needed = sum(int(np.prod(shape)) * plan.dtype.itemsize for plan in plans for shape in plan.shapes)
    replaced = sum(os.path.getsize(path) for plan in plans for path in
                   (tagged(path, MAGNITUDES) for path in plan.paths) if os.path.exists(path))
    folder.check_space(place, needed, replaced, 'choose %s or another disk' % smaller)


def conclude(outcomes, unit, place=None):
    """Log what was written, was there before, was left out with the reasons, or failed; return the exit code.

    Parameters
    ----------
    outcomes : list of jobs.Outcome
        Each result is a `Counter` whose keys are ``'written'``, ``'kept'``, ``'notes'`` (note arrays that were written
        beside sounds that were there), a :class:`making.Remark`, or a reason why a file was left out.
    unit : str
        What was written, in the plural.
    place : str, optional
        Folder of the features.

    Returns
    -------
    int
        1 when something failed, else 0.

    Raises
    ------
    InputError
        When everything was left out.
    """
    total = sum((outcome.result for outcome in outcomes if outcome.error is None), Counter())
    remarks = [key for key in total if isinstance(key, making.Remark)]
    reasons = Counter({key: number for key, number in total.items()
                       if isinstance(key, str) and key not in ('written', 'kept', 'notes')})
    failed = sum(outcome.error is not None for outcome in outcomes)
    logger.info('%s%d %s written, %d already there, %d left out, %d failed%s', '%s: ' % place if place else '',
                total['written'], unit, total['kept'], sum(reasons.values()), failed,
                '; notes of %d written' % total['notes'] if total['notes'] else '')
    for remark in sorted(remarks):
        logger.warning('%s', remark.text)
    for reason, number in reasons.most_common(20):
        logger.warning('%d left out: %s', number, reason)
    if len(reasons) > 20:
        logger.warning('and %d left out for %d other reasons', sum(n for _, n in reasons.most_common()[20:]),
                       len(reasons) - 20)
    if reasons and not total['written'] + total['kept']:
        raise InputError('all %d %s were left out, see above' % (sum(reasons.values()), unit))
    return jobs.summarize([outcome for outcome in outcomes if outcome.item is not None])
